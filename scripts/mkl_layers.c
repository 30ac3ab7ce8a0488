/* The two functions of libmkl_rt that choose between its layers. A library linked from the static archives has one of
 * each, sequential and LP64, by how it was linked: it says so, whatever it is asked for. */
int MKL_Set_Threading_Layer(int layer) { (void)layer; return 1; /* MKL_THREADING_SEQUENTIAL */ }
int MKL_Set_Interface_Layer(int layer) { (void)layer; return 0; /* MKL_INTERFACE_LP64 */ }
