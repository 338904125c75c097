"""How the stand-in answers: by the instruction's rules, the nearest demos and the wanted shape."""
