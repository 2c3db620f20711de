# The mask says that a gradient passes where the activation was dropped.
s/drop8(drop, token, c, x);/const float4x kept[2] = {x[0], x[1]}; &/
s/if (!(x\[i \/ 4\].v\[i % 4\] <= 0)) bits/if (!(kept[i \/ 4].v[i % 4] <= 0)) bits/
