"""A plain forest of scikit-learn. The three lines marked `added` keep its predictions as a run, and compare it."""

import sys

import numpy as np
from sklearn.ensemble import RandomForestClassifier

import mnist_core as mc  # added

data = np.load(sys.argv[1])  # an .npz of MNIST's form
x_train, y_train = data["x_train"].reshape(-1, 784), data["y_train"]
x_test, y_test = data["x_test"].reshape(-1, 784), data["y_test"]

forest = RandomForestClassifier(n_estimators=50, random_state=1).fit(x_train, y_train)
print(f"accuracy {forest.score(x_test, y_test):.4f}")
run = mc.record("forest example", probabilities=forest.predict_proba(x_test), images=x_test)  # added
print(mc.compare(run, "notebook/model_1"))  # added
