"""
Softmax and the ratio
=====================

The same scores under two mappings.
"""

import matplotlib.pyplot as plt
import numpy as np

import lastlayer as ll

factors = np.linspace(0.1, 5, 100)
plt.plot(factors, [ll.softmax(k * np.array([1, 0.5]))[0] for k in factors])
plt.show()
