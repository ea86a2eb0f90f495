"""The option of the commands that record."""


def add_device_argument(parser):
    """Adds the choice of a microphone to a command's parser."""
    parser.add_argument("--device", metavar="NAME",
                        help="the microphone: its number, or part of its name, from 'speechzoo microphones'; the "
                             "system's own choice if absent")
