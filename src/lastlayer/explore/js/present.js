"use strict"; { const LL = (window.LL ??= {}); LL.mountPresent = () => {}; }
