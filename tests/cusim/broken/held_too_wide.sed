# Rows of more pieces than registers hold are held, too.
s/p->vocab <= WIDEST/p->vocab <= WIDEST + 4/
