"""The encoder: texts to unit vectors, through a BERT on the fastest engine that the machine has.

`encoder` is the door: it cuts texts into `tokens` and runs them on one of the `engines`, which compute the model of
`bert`, some with a library of `native` or with weights in bytes (`int8`). `bert` reads its weights from a `checkpoint`,
whose tensors lie in a `safetensors_file`; `bundled` says where the program's own checkpoint is. `calibration` measures
on texts what `int8` must know of a checkpoint that brings no weights in bytes.
"""
