"""The compiled part of training: many steps in one call of a TensorFlow graph.

Keras's `fit` goes back to Python for each batch; for small nets that, and the random numbers of dropout, cost more than
the arithmetic. Here a block of steps is one graph call over images that stay in memory as uint8: each step gathers its
batch by the epoch's shuffled order, so the mathematics is that of `fit`. No XLA: on CPU it was measured slower.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_core.data.augmentation import AffineTransforms
from mnist_core.data.images import Pixels
from mnist_core.training.models import backend
from mnist_core.training.optimizers import reset

_SHUFFLE, _DROPOUT, _SUBSET = 0x5F0E, 0xD409, 0x5B5E
_WORD = 1 << 16
_EVALUATED_AT_ONCE = 1000  # images; a float32 chunk of this size stays in the processor's cache
_VALUES_AT_ONCE = 1 << 21  # outputs of a layer; several chunks are evaluated side by side, each with as many
_MOST_BITS = 1 << 25  # values of random bits in a block
_SPLIT_FROM = 64  # images in a batch; below this, splitting it costs more than it gains

Totals = tuple[float, int]
"""Sum over images of the training loss (nats, penalty included), and how many of them were classified correctly."""


def shuffled(images: int, seed: int, epoch: int) -> NDArray[np.int32]:
    """Return the order of `images` training images in an epoch: a function of seed and epoch alone."""
    return np.random.default_rng([seed, _SHUFFLE, epoch]).permutation(images).astype(np.int32)


def subset(images: int, size: int) -> NDArray[np.int64]:
    """Return the ascending indices of at most `size` of `images` images.

    They are the same in every run, so that runs can be compared.
    """
    if images <= size:
        return np.arange(images)
    return np.sort(np.random.default_rng([_SUBSET, images]).choice(images, size, replace=False))


class DropoutBits:
    """Random bits for the dropout masks of one epoch: one uint16 per activation, drawn image after image.

    An image's bits depend on seed, epoch, layer and its place in the order, not on how steps are grouped into blocks.

    Parameters
    ----------
    widths
        for each dropout layer, how many values it has for one image.
    """

    def __init__(self, widths: list[int], seed: int, epoch: int) -> None:
        self._chunks = [math.ceil(width / 4) for width in widths]
        self._streams = [np.random.SFC64([seed, _DROPOUT, epoch, layer]) for layer in range(len(widths))]

    def draw(self, images: int) -> list[NDArray[np.uint16]]:
        """Return the bits of the next `images` images: for each layer, shape (images, width rounded up to 4s)."""
        return [
            stream.random_raw(images * bits).view(np.uint16).reshape(images, 4 * bits)
            for stream, bits in zip(self._streams, self._chunks, strict=True)
        ]


@dataclass(frozen=True)
class Sizes:
    """The number of images of an epoch and the batch size; the last batch is smaller if they do not divide evenly."""

    images: int
    batch: int

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return math.ceil(self.images / self.batch)

    def images_until(self, step: int) -> int:
        """Return how many images the first `step` batches have."""
        return min(step * self.batch, self.images)


class Engine:
    """Trains and evaluates one Keras model on one training set.

    A batch goes through the layers in parts, side by side. Only batch normalisation looks at all parts at once: its
    mean and variance are those of the batch as a whole, as in Keras.

    Parameters
    ----------
    model
        a `keras.Sequential` that ends in a Dense softmax layer.
    optimizer
        from `optimizers.build_optimizer`; it is built here.
    images, labels
        the training set: uint8 of shape (n, 28, 28), and of shape (n,).
    batch
        images in a step.
    label_smoothing
        share of each label that is spread over all classes while training.
    """

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        images: Pixels,
        labels: NDArray[np.uint8],
        batch: int,
        label_smoothing: float = 0.0,
    ) -> None:
        tf, keras = backend()
        self._tf, self._layers = tf, keras.layers
        self.model, self.optimizer = model, optimizer
        self.sizes = Sizes(len(images), batch)
        self._smoothing = label_smoothing
        optimizer.build(model.trainable_variables)
        self._hold(images, labels)
        self._variables = [variable.value for variable in model.trainable_variables]
        self._penalised = [
            (index, layer.kernel_regularizer)
            for layer in model.layers
            for index, variable in enumerate(model.trainable_variables)
            if getattr(layer, "kernel_regularizer", None) is not None and variable is layer.kernel
        ]
        self._dropouts = [layer for layer in model.layers if isinstance(layer, self._layers.Dropout)]
        self._widths = [math.prod(layer.output.shape[1:]) for layer in self._dropouts]
        # A batch in two halves keeps two cores busy. The number does not depend on the cores there are, as it decides
        # the order of float32 sums.
        self._parts = 2 if batch >= _SPLIT_FROM else 1
        widest = max(math.prod(layer.output.shape[1:]) for layer in model.layers)
        self._at_once = min(_EVALUATED_AT_ONCE, max(1, _VALUES_AT_ONCE // widest))
        scalar, total = tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float64)
        bits = [tf.TensorSpec([None, 4 * math.ceil(width / 4)], tf.uint16) for width in self._widths]
        order, pixels = tf.TensorSpec([len(images)], tf.int32), tf.TensorSpec([None, *images.shape[1:]], tf.uint8)
        # The training set goes in as an argument: TensorFlow never lets go of what a graph has captured.
        data = [tf.TensorSpec(images.shape, tf.uint8), tf.TensorSpec(labels.shape, tf.int32)]
        moves = tf.TensorSpec([None, 8], tf.float32)
        block = [data, order, bits, [], scalar, scalar, total, scalar]
        moving = [data, order, bits, [moves], scalar, scalar, total, scalar]
        self._block = tf.function(self._train_block, input_signature=block, autograph=False)
        self._moving_block = tf.function(self._train_block, input_signature=moving, autograph=False)
        self._evaluate = tf.function(self._all_probabilities, input_signature=[pixels], autograph=False)

    def _hold(self, images: Pixels, labels: NDArray[np.uint8]) -> None:
        self._images = self._tf.constant(images)
        self._labels = self._tf.constant(labels.astype(np.int32))

    # -- called by training ------------------------------------------------------------------------------------------

    def dropout_bits(self, seed: int, epoch: int) -> DropoutBits:
        """Return the random bits for one epoch of this model."""
        return DropoutBits(self._widths, seed, epoch)

    @property
    def most_steps(self) -> int:
        """Return the largest number of steps of a block for which its random bits fit into memory."""
        return int(max(1, _MOST_BITS // max(1, self.sizes.batch * sum(self._widths))))

    def draw(self, bits: DropoutBits, start: int, stop: int) -> list[Any]:
        """Return the bits for the steps from `start` up to but not including `stop`, as tensors."""
        images = self.sizes.images_until(stop) - self.sizes.images_until(start)
        return [self._tf.constant(drawn) for drawn in bits.draw(images)]

    def train(
        self,
        order: NDArray[np.int32],
        drawn: list[Any],
        start: int,
        stop: int,
        totals: Totals,
        moves: AffineTransforms | None = None,
    ) -> Totals:
        """Do the steps for which `drawn` was drawn; return the epoch's totals after them.

        The totals go in and out, and do not start from 0 in each block, so that they too are the same for any blocks.
        `moves` are the affine transforms of the epoch's augmentation, in the order of training.
        """
        tensor, (loss, correct) = self._tf.constant, totals
        first, last = self.sizes.images_until(start), self.sizes.images_until(stop)
        block, transforms = (self._block, []) if moves is None else (self._moving_block, [tensor(moves[first:last])])
        data, loss_so_far = [self._images, self._labels], tensor(loss, self._tf.float64)
        loss, correct = block(
            data, tensor(order), drawn, transforms, tensor(start), tensor(stop), loss_so_far, tensor(correct)
        )
        return float(loss), int(correct)

    def start_again(self, images: Pixels, labels: NDArray[np.uint8], weights: list[NDArray[Any]], rate: float) -> None:
        """Begin another training, as a new engine would, with a training set of the same shapes."""
        self._hold(images, labels)
        self.model.set_weights(weights)
        reset(self.optimizer, rate)

    def release(self) -> None:
        """Drop the training set."""
        del self._images, self._labels

    def set_rate(self, rate: float) -> None:
        """Train with this learning rate from now on."""
        self.optimizer.learning_rate = rate

    def probabilities(self, images: Pixels) -> NDArray[np.float32]:
        """Return probabilities of shape (n, 10) for uint8 images of shape (n, 28, 28), dropout off."""
        result: NDArray[np.float32] = self._evaluate(self._tf.constant(images)).numpy()
        return result

    def penalty(self) -> float:
        """Return the L2 penalty of the present weights."""
        return float(sum(regularizer(self._variables[index]) for index, regularizer in self._penalised))

    def arrays(self) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Return copies of the model's weights and of the optimizer's variables."""
        weights, optimizer = self.model.weights, self.optimizer.variables
        return [variable.value.numpy() for variable in weights], [variable.value.numpy() for variable in optimizer]

    def restore(self, weights: list[NDArray[Any]], optimizer: list[NDArray[Any]] | None = None) -> None:
        """Put back what `arrays` gave."""
        self.model.set_weights(weights)
        for variable, value in zip(self.optimizer.variables, optimizer or [], strict=optimizer is not None):
            variable.assign(value)

    # -- traced into graphs ------------------------------------------------------------------------------------------

    def _logits(self, parts: list[Any], bits: list[list[Any]] | None) -> list[Any]:
        """Return logits of shape (n, 10) for each part: float32 pixels 0 to 1, shape (n, 28, 28).

        `bits` decide, for each part, what each dropout layer keeps; None means no training.
        """
        dropouts = iter(zip(*bits, strict=True)) if bits else iter(())
        for layer in self.model.layers[:-1]:
            if isinstance(layer, self._layers.Dropout):
                if bits is not None:
                    drawn = next(dropouts)
                    parts = [self._dropped(layer, part, some) for part, some in zip(parts, drawn, strict=True)]
            elif isinstance(layer, self._layers.Dense):
                parts = [layer.activation(self._affine(layer, part)) for part in parts]
            elif isinstance(layer, self._layers.BatchNormalization):
                parts = self._normalised(layer, parts, training=bits is not None)
            else:
                parts = [layer(part, training=bits is not None) for part in parts]
        # The softmax of the last layer is left to the loss, which needs logits to be exact and quick.
        return [self._affine(self.model.layers[-1], part) for part in parts]

    def _pixels(self, images: Any) -> Any:
        return self._tf.cast(images, self._tf.float32) * np.float32(1 / 255)

    def _moved(self, images: Any, transforms: Any) -> Any:
        """Return images of shape (n, 28, 28), changed by the affine transforms of an augmentation."""
        tf = self._tf
        found = tf.raw_ops.ImageProjectiveTransformV3(
            images=images[..., None], transforms=transforms, output_shape=images.shape[1:], interpolation="BILINEAR",
            fill_mode="CONSTANT", fill_value=0.0,
        )  # fmt: skip
        return tf.reshape(found, tf.shape(images))

    def _normalised(self, layer: Any, parts: list[Any], *, training: bool) -> list[Any]:
        """Return batch normalisation over the last axis, with the statistics of all parts together."""
        tf = self._tf
        mean, variance = layer.moving_mean.value, layer.moving_variance.value
        scale, offset = layer.gamma.value, layer.beta.value
        if not training:
            return [tf.nn.batch_normalization(part, mean, variance, offset, scale, layer.epsilon) for part in parts]
        # Joining the parts for the fused kernel and parting them again was measured faster than any sums by part.
        whole = tf.concat(parts, 0)
        columns = tf.reshape(whole, [-1, 1, 1, whole.shape[-1]])
        found, now, spread, *_ = tf.raw_ops.FusedBatchNormV3(
            x=columns, scale=scale, offset=offset, mean=[], variance=[], epsilon=layer.epsilon, is_training=True
        )
        count = tf.cast(tf.shape(columns)[0], tf.float32)
        spread *= (count - 1.0) / count  # the kernel gives the unbiased variance, and Keras keeps the other
        for moving, value in ((mean, now), (variance, spread)):
            moving.assign(moving * layer.momentum + value * (1.0 - layer.momentum))
        sizes = tf.stack([tf.shape(part)[0] for part in parts])
        return list(tf.split(tf.reshape(found, tf.shape(whole)), sizes, num=len(parts)))

    def _affine(self, layer: Any, values: Any) -> Any:
        return self._tf.nn.bias_add(self._tf.matmul(values, layer.kernel.value), layer.bias.value)

    def _dropped(self, layer: Any, values: Any, bits: Any) -> Any:
        """Return values after inverted dropout: one whose word is high enough is kept, and scaled up."""
        tf = self._tf
        threshold = min(round(layer.rate * _WORD), _WORD - 1)
        width = math.prod(values.shape[1:])
        kept = tf.cast(bits[:, :width] >= threshold, tf.float32) * np.float32(_WORD / (_WORD - threshold))
        return values * (kept if values.shape.rank == 2 else tf.reshape(kept, tf.shape(values)))

    def _gradients(self, data: list[Any], rows: list[Any], bits: list[list[Any]], moves: list[Any], batch: Any) -> Any:
        """Return gradients of the batch's mean loss; for each part, the sum of its losses, and how many are correct.

        data: images and labels of the training set. rows: for each part, its images' places in it. bits: its random
        bits, by dropout layer. moves: its affine transforms, if images are augmented.
        """
        tf, (all_images, all_labels) = self._tf, data
        labels = [tf.gather(all_labels, some) for some in rows]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            parts = [self._pixels(tf.gather(all_images, some)) for some in rows]
            if moves:
                parts = [self._moved(part, some) for part, some in zip(parts, moves, strict=True)]
            logits = self._logits(parts, bits)
            losses = [tf.reduce_sum(self._losses(*pair)) for pair in zip(labels, logits, strict=True)]
            shares = [loss / batch for loss in losses]
        guesses = [tf.argmax(part, 1, output_type=tf.int32) for part in logits]
        hits = [tf.cast(tf.equal(*pair), tf.int32) for pair in zip(guesses, labels, strict=True)]
        return tape.gradient(shares, self._variables), losses, [tf.reduce_sum(part) for part in hits]

    def _losses(self, labels: Any, logits: Any) -> Any:
        """Return cross-entropy of each image, in nats.

        Smoothed labels count as `keras.losses.CategoricalCrossentropy` does.
        """
        tf, smoothing = self._tf, self._smoothing
        if not smoothing:
            return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        classes = logits.shape[-1]
        smooth = tf.one_hot(labels, classes, 1.0 - smoothing + smoothing / classes, smoothing / classes)
        return tf.nn.softmax_cross_entropy_with_logits(smooth, logits)

    def _add_penalty(self, gradients: list[Any]) -> Any:
        """Add the L2 penalty's gradients in place; return the penalty."""
        tf = self._tf
        kernels = [self._variables[index] for index, _ in self._penalised]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(kernels)
            penalty = tf.add_n([regularizer(self._variables[index]) for index, regularizer in self._penalised])
        for (index, _), gradient in zip(self._penalised, tape.gradient(penalty, kernels), strict=True):
            gradients[index] += gradient
        return penalty

    def _train_block(
        self,
        data: list[Any],
        order: Any,
        bits: list[Any],
        moves: list[Any],
        start: Any,
        stop: Any,
        loss: Any,
        correct: Any,
    ) -> Any:
        tf, images, batch = self._tf, self.sizes.images, self.sizes.batch
        offset = start * batch  # of the first row of `bits` and `moves` in the epoch

        def step(number: Any, loss: Any, correct: Any) -> Any:
            begin = number * batch
            size = tf.minimum(batch, images - begin)
            cuts = [begin + size * part // self._parts for part in range(self._parts + 1)]
            bounds = list(itertools.pairwise(cuts))
            drawn = [[item[low - offset : high - offset] for item in bits] for low, high in bounds]
            transforms = [item[low - offset : high - offset] for item in moves for low, high in bounds]
            rows = [order[low:high] for low, high in bounds]
            gradients, losses, hits = self._gradients(data, rows, drawn, transforms, tf.cast(size, tf.float32))
            for part_loss, part_hits in zip(losses, hits, strict=True):
                loss += tf.cast(part_loss, tf.float64)
                correct += part_hits
            if self._penalised:
                loss += tf.cast(self._add_penalty(gradients) * tf.cast(size, tf.float32), tf.float64)
            self.optimizer.apply(gradients, self.model.trainable_variables)
            return number + 1, loss, correct

        return tf.while_loop(lambda number, *_: number < stop, step, (start, loss, correct))[1:]

    def _all_probabilities(self, images: Any) -> Any:
        tf = self._tf
        total = tf.shape(images)[0]
        chunks = (total + self._at_once - 1) // self._at_once
        results = tf.TensorArray(tf.float32, size=chunks, element_shape=[None, 10], infer_shape=False)

        def chunk(number: Any, results: Any) -> Any:
            begin = number * self._at_once
            part = images[begin : tf.minimum(begin + self._at_once, total)]
            [logits] = self._logits([self._pixels(part)], None)
            return number + 1, results.write(number, tf.nn.softmax(logits))

        # The chunks are independent, and the loop runs them side by side.
        return tf.while_loop(lambda number, _: number < chunks, chunk, (tf.constant(0), results))[1].concat()
