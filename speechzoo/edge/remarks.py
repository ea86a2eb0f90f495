"""LiteRT's remarks, kept from programs that print answers."""

from speechzoo.remarks import without_remarks


class QuietRunner:
    """A signature of a file, without the line that LiteRT writes about its delegate in the first run.

    Args:
        runner: LiteRT's runner of the signature.
    """

    def __init__(self, runner):
        self.get_input_details = runner.get_input_details
        self._runner = runner
        self._started = False

    def __call__(self, **inputs):
        if self._started:
            return self._runner(**inputs)
        with without_remarks():
            outputs = self._runner(**inputs)
        self._started = True
        return outputs
