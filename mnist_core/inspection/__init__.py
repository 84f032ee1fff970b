"""Why a digit is taken for another: a network in NumPy, neighbours, occlusion, a map."""
