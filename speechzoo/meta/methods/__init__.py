"""Ways to learn classes from a few recordings: one file each."""

from speechzoo.meta.methods.anil import ANIL
from speechzoo.meta.methods.fine_tuning import FineTuning
from speechzoo.meta.methods.first_order_maml import FirstOrderMAML
from speechzoo.meta.methods.logistic import Logistic
from speechzoo.meta.methods.maml import MAML
from speechzoo.meta.methods.meta_sgd import MetaSGD
from speechzoo.meta.methods.method import Method
from speechzoo.meta.methods.nearest_centroid import NearestCentroid
from speechzoo.meta.methods.prototypical import Prototypical
from speechzoo.meta.methods.relation import Relation
from speechzoo.meta.methods.reptile import Reptile

# Name -> class; the last three learn nothing from episodes.
METHODS = {"prototypical": Prototypical, "relation": Relation, "maml": MAML, "first_order_maml": FirstOrderMAML,
           "anil": ANIL, "reptile": Reptile, "meta_sgd": MetaSGD, "nearest_centroid": NearestCentroid,
           "logistic": Logistic, "fine_tuning": FineTuning}

__all__ = ["ANIL", "MAML", "METHODS", "FineTuning", "FirstOrderMAML", "Logistic", "MetaSGD", "Method",
           "NearestCentroid", "Prototypical", "Relation", "Reptile"]
