"""A trained model meets recordings of another domain, of which nobody says what is in them."""

from speechzoo.adaptation.adapting_recognizer import AdaptationReport, AdaptingRecognizer, minimize_entropy
from speechzoo.adaptation.batch_statistics import StatisticsReport, recompute_statistics
from speechzoo.adaptation.pseudo_labels import PseudoLabelReport, pseudo_label

__all__ = ["AdaptationReport", "AdaptingRecognizer", "PseudoLabelReport", "StatisticsReport", "minimize_entropy",
           "pseudo_label", "recompute_statistics"]
