"""What every kernel of rows shares: tiles of scores, softcap and temperature, targets with their options, the z-loss."""
