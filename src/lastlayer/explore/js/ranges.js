// Which numbers the page takes: LL.RANGES is lastlayer.explore.ranges.RANGES.
"use strict"; {
  LL.fits = (name, v) => {
    const { least, most, even } = LL.RANGES[name];
    return v >= least && v <= most && !(even && v % 2);
  };
}
