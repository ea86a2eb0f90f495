"""What a request is refused with, in the form that OpenAI's clients read."""


class RequestError(Exception):
    """A request that can't be answered.

    Args:
        status: Of HTTP.
        message: What is wrong and what to do.
        param: Field of the request that it is about.
        code: A word for programs.
    """

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None):
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code

    @property
    def body(self) -> dict:
        """The answer's JSON."""
        return error_body(self.status, self.message, self.param, self.code)


def error_body(status: int, message: str, param: str | None = None, code: str | None = None) -> dict:
    """The JSON of a refusal: `{"error": {"message", "type", "param", "code"}}`."""
    kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
