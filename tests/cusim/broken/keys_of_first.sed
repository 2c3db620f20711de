# The keys and values of all layers are written where the first layer's belong.
s/layer.stride_y = tt_pass_elements(.*$/layer.stride_y = 0;/
