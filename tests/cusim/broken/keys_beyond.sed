# Keys that do not exist count in the bias's gradient.
s/if (first + warp_row + block::warp_rows > keys) hide_rows.*/;/
