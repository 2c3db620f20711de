# A download takes the place of what is being fetched.
s/? s->down + s->down_used : to/? s->down : to/
