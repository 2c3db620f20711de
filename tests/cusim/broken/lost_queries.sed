# Queries that do not exist count where their probability is beyond all floats.
s/ || query >= rows//
