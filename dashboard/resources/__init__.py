"""What all pages and sessions share: the store, the job runner, and what was read and computed of runs.

Pages use the names that this module lists; each has a file of its subject. What is cached is shared by all sessions and
must not be written into. There are three ways to keep something, each for what the others cannot:

- `functools.cache`: what there is once in a process, such as the store.
- the caches of `dashboard.cache`: whatever is computed, bounded by its bytes. Keys hold run ids and versions
  (`readings.run_key`, `networks.weights_key`), never arrays. Values of megabytes have caches apart from `CACHE`, so
  that they do not push out the many small ones.
- `st.cache_resource`: data sets. One may be larger than all else together, so these are bounded by their number.
"""

from dashboard.resources.comparisons import (
    background,
    board,
    changes,
    choice,
    comparison,
    examples,
    of_study,
    plans,
    published,
    recipe_comparison,
    recipe_sample,
    votes,
)
from dashboard.resources.datasets import (
    data_check,
    dataset,
    kept,
    kept_folder,
    kept_version,
    own_dataset,
    test_images,
)
from dashboard.resources.exams import (
    Exam,
    exam_labels,
    exam_pictures,
    exam_results,
    sat_elsewhere,
)
from dashboard.resources.listing import (
    Entry,
    colours,
    entries,
    known_colours,
    palette,
)
from dashboard.resources.networks import (
    digit_map,
    hidden_digits,
    network,
    network_bytes,
    network_name,
)
from dashboard.resources.readings import (
    READER,
    diagnosis,
    history,
    prediction_frame,
    predictions,
    rows,
    summary,
    test_scores,
)
from dashboard.resources.shared import (
    Studies,
    all_problems,
    runner,
    scan,
    snapshot,
    store,
    studies,
    warm_up,
    watch,
)

__all__ = [
    "READER",
    "Entry",
    "Exam",
    "Studies",
    "all_problems",
    "background",
    "board",
    "changes",
    "choice",
    "colours",
    "comparison",
    "data_check",
    "dataset",
    "diagnosis",
    "digit_map",
    "entries",
    "exam_labels",
    "exam_pictures",
    "exam_results",
    "examples",
    "hidden_digits",
    "history",
    "kept",
    "kept_folder",
    "kept_version",
    "known_colours",
    "network",
    "network_bytes",
    "network_name",
    "of_study",
    "own_dataset",
    "palette",
    "plans",
    "prediction_frame",
    "predictions",
    "published",
    "recipe_comparison",
    "recipe_sample",
    "rows",
    "runner",
    "sat_elsewhere",
    "scan",
    "snapshot",
    "store",
    "studies",
    "summary",
    "test_images",
    "test_scores",
    "votes",
    "warm_up",
    "watch",
]
