# Only the library's first proposal is tried.
s/i < found \&\& refused(status)/i < 1/
