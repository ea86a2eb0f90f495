"""`python -m speechzoo` is the console script `speechzoo`."""

from speechzoo.cli import main

if __name__ == "__main__":
    main()
