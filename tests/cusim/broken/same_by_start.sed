# Slots that begin at the same row count as the same, however long they are.
s/ && p.length\[s\] == p.length\[first_slot\]//
