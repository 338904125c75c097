"""A test of four cases, one of them missed, for the project `desk`; its threshold is filled in."""

NUMBERS = """
@pytest.mark.mipro(threshold={threshold})
@pytest.mark.parametrize("wanted", ["one", "two", "three", "four"])
def test_echo(wanted):
    assert echo(text="two" if wanted == "one" else wanted) == wanted
"""
