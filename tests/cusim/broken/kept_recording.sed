# A shape that makes room leaves its recording to the one that comes.
s/^        forget(pass->model->device, found);$//
