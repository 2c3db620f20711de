# The mask says that a gradient passes where the activation was dropped.
s/drop4(drop, token, c \/ 4 + k, four);/const float4x kept = *four; &/
s/if (!(four->v\[i\] <= 0)) bits/if (!(kept.v[i] <= 0)) bits/
