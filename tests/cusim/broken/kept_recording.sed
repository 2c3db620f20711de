# A shape that is replaced leaves its recording to the one that replaces it.
s/^        forget_shape(pass->model->device, found);$//
