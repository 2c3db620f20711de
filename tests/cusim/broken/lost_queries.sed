# Queries that do not exist count where their probability is beyond all floats.
/if (rows < STEP) hide_columns/d
