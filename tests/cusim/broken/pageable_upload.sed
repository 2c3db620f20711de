# An upload leaves the host's memory to be read when the copy is made.
s/char \*const staged = s->up + s->used;/const char *const staged = static_cast<const char *>(from) + done;/
/memcpy(staged, /d
