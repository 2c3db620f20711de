# Of more runs than there are blocks, each block takes one.
s/others = gridDim.z - 1;/others = GROUP;/
