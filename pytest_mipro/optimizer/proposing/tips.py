"""The tips of MIPRO (arXiv 2406.11695, appendix): each steers the style of a proposal."""

from __future__ import annotations

TIPS = {
    "none": "",
    "descriptive": "Make the instruction very informative and descriptive.",
    "simple": "Keep the instruction clear and concise.",
    "creative": "Don't be afraid to be creative.",
    "high stakes": "The instruction should name a high-stakes situation that needs the answer.",
    "persona": "The instruction should give the module a persona that fits its task.",
}
