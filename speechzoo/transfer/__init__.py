"""A trained model for recordings of one's own: schedule and rate chosen by cross-validation, in a given time."""

from speechzoo.transfer.schedules import SCHEDULES, Schedule
from speechzoo.transfer.search import TransferResult, transfer

__all__ = ["SCHEDULES", "Schedule", "TransferResult", "transfer"]
