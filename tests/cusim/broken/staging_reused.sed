# Uploads take memory whose last contents are still on their way.
s/s->used += (part.*;//
