# Queries that do not exist count where their probability is beyond all floats.
s/if (rows < PART) hide_columns/if (rows < 0) hide_columns/
