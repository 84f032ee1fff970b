"""A plain Keras training. The three lines marked `added` show it in the dashboard, live, and compare it."""

import sys

import keras
import numpy as np

import mnist_core as mc  # added

data = np.load(sys.argv[1])  # an .npz of MNIST's form
x_train, y_train = data["x_train"] / 255, data["y_train"]
x_test, y_test = data["x_test"] / 255, data["y_test"]

keras.utils.set_random_seed(1)
model = keras.Sequential(
    [
        keras.Input((28, 28)),
        keras.layers.Flatten(),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(
    x_train,
    y_train,
    batch_size=128,
    epochs=3,
    validation_data=(x_test, y_test),
    verbose=0,
    callbacks=[mc.RunLogger("keras example", x_test=x_test, y_test=y_test)],  # added
)
print(mc.compare("keras example", "notebook/model_1"))  # added
