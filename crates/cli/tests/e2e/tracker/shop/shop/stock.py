"""What is there."""

import threading
import time

LEVELS = {"tea-1": 5}


def level(sku):
    """How many are there."""
    return LEVELS[sku]


def set_level(sku, number):
    """Sets how many are there."""
    if number < 0:
        raise RuntimeError(f"{sku} was sold {-number} times too often")
    LEVELS[sku] = number


def reserve(sku, wanted, there):
    """Takes some away, if they are there."""
    if there < wanted:
        return False
    # The warehouse answers slowly.
    time.sleep(0.02)
    set_level(sku, level(sku) - wanted)
    return True


def reserve_at_once(sku, wanted, buyers):
    """Lets several people buy at the same time; gives how many got something."""
    LEVELS[sku] = 5
    failed, served = [], []

    def buy():
        try:
            served.append(reserve(sku, wanted, level(sku)))
        except RuntimeError as error:
            failed.append(error)

    threads = [threading.Thread(target=buy) for _ in range(buyers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return served.count(True)
