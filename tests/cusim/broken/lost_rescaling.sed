# Outputs keep their scale when a larger score comes.
s/if (__any_sync(TT_ALL_LANES, grown)) {/if (__any_sync(TT_ALL_LANES, grown) \&\& state.top[0][0] > 99999) {/
