"""A trained model meets recordings of another domain, of which nobody says what is in them."""

from speechzoo.adaptation.batch_statistics import StatisticsReport, recompute_statistics

from speechzoo.adaptation.test_time import AdaptationReport, AdaptingRecognizer, minimize_entropy

__all__ = ["AdaptationReport", "AdaptingRecognizer", "StatisticsReport", "minimize_entropy",
           "recompute_statistics"]
