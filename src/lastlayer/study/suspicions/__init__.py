"""What makes a split of the data untrustworthy, looked for before anything is fitted."""


def find_suspicions(data, settings):
    return ()
