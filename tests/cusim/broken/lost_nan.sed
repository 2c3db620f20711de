# Nobody asks whether ReLU in a product loses NaN.
s/const bool fused_relu = .*/const bool fused_relu = false;/
