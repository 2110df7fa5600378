from __future__ import annotations

import pytest

from pixelmill.recipes import Source, picture


def test_best_format_first_widths_ascending() -> None:
    html = picture(
        [
            Source("a.jpg", "image/jpeg", 480, 270),
            Source("b.jpg", "image/jpeg", 960, 540),
            Source("b.webp", "image/webp", 960, 540),
            Source("a.webp", "image/webp", 480, 270),
            Source("a.avif", "image/avif", 480, 270),
        ],
        alt='"fields" & <hills>',
    )
    assert html.index("image/avif") < html.index("image/webp") < html.index("<img")
    assert 'srcset="a.webp 480w, b.webp 960w"' in html
    assert 'src="b.jpg"' in html and 'width="960" height="540"' in html
    assert 'alt="&quot;fields&quot; &amp; &lt;hills&gt;"' in html


def test_one_width_once() -> None:
    html = picture([Source("a.jpg", "image/jpeg", 300, 200), Source("b.jpg", "image/jpeg", 300, 200)])
    assert html.count("300w") == 1


def test_nothing_is_no_picture() -> None:
    with pytest.raises(ValueError):
        picture([])
