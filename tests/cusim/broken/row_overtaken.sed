# The row after the next takes the place of one that other lanes still read.
s/__syncwarp(); \/\/ the next row but one.*//
