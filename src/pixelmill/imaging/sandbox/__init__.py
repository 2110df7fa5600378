"""Where pixels are decoded: processes that may do nothing else. ``pool`` is the parent's side, ``child`` the other."""
