# All runs of a piece that began before are taken for one: the second goes to the buffer, too.
s/                began_before = false;//
