"""The words that the worlds are drawn from."""

from __future__ import annotations


def _words(**topics: str) -> dict[str, list[str]]:
    return {name.replace("_", " "): words.split() for name, words in topics.items()}


DEPARTMENTS = _words(
    street_lighting="lamp bulb dark flicker pole glow lantern dim bright lights lit nightfall",
    waste_collection="bin rubbish garbage recycling lorry skip "
    "compost sack wasteful cardboard smell collected",
    parking_permits="car resident zone vehicle windscreen parked "
    "garage fine meter ticket kerb permit",
    noise_control="noisy music party drilling barking shouting "
    "bass neighbour loud speakers alarm hammering",
    tree_care="branch trunk leaves roots oak prune trees hedge chestnut stump saw caring",
    water_supply="pipe leak pressure tap hydrant brown valve burst drain watery supplied sewage",
    road_repair="pothole asphalt crack gravel pavement tyre "
    "bump roadside paving slab hole repaired",
    public_library="book loan shelf reading overdue novel "
    "borrow librarian publication catalogue audiobook story",
    market_stalls="vendor stand fruit trader cheese pitch "
    "flowers saturday baker awning marketing stall",
    sports_grounds="goal football tennis court changing gym "
    "swimming lane coach net sporting ground",
    animal_shelter="dog kitten stray cage leash animals puppy sheltered adopted kennel fur paw",
    wedding_office="bride groom ceremony ring witness married "
    "surname weddings official bouquet toast vow",
)
LETTER_OPENINGS = (
    "good morning",
    "I write about our street",
    "we have lived at the square for years",
    "please forgive my bad spelling",
    "this is my second letter",
    "my sister told me to write to the town hall",
    "a short question from the old mill quarter",
    "nobody picked up the phone",
)
LETTER_CUES = (
    "there is trouble with the {} and the {} again",
    "who looks after the {} or the {}",
    "the {} makes me unhappy, and so does the {}",
    "we worry about the {} near the {}",
    "what can be done about the {} and its {}",
    "it is all because of the {}, or of the {}",
)
LETTER_ASIDES = (
    "by the way, the {} was fine",
    "I have no quarrel with the {}",
    "last year it was the {}, which is settled",
)

PARTS = _words(
    a="bolt nut washer rivet screw stud thread dowel cotter grommet anchor",
    b="gasket sealant ring packing membrane bellows lip collar seam stopper plug",
    c="bearing bushing roller race cage spindle journal sleeve pivot hub axle",
    d="filter mesh strainer cartridge sieve screen separator cyclone purifier wick diaphragm",
    e="fuse relay breaker contactor terminal busbar socket cable conduit switch transformer",
    f="primer varnish enamel lacquer thinner pigment undercoat brush spray stencil putty",
    g="glove goggles helmet apron mask boots harness vest earplug visor respirator",
    h="hose nozzle coupling valve manifold elbow flange nipple tee reducer clamp",
    i="belt pulley chain sprocket gear clutch tensioner gearbox shaft pinion cog",
    j="lubricant grease oil coolant solvent degreaser wax silicone graphite paraffin lanolin",
    k="lamp lens reflector diode filament ballast dimmer bulb beacon strobe floodlight",
    l="chisel mallet plane rasp hacksaw spanner pliers vice gauge caliper scraper",
)
ORDER_LINES = (
    "two of the {} type, one {} and a {}",
    "a {} with a spare {}, then a {}",
    "please send the {}, the {} and the {} together",
    "one box: {}, {}, {}",
    "the usual {} as well as a {} and a {}",
    "replacement for a worn {}, its {} and its {}",
)
ORDER_ASIDES = (
    "no hurry",
    "by courier if possible",
    "the foreman will sign",
    "same as in autumn",
    "leave it at the gate",
    "charge it to the yard",
)
PLACES = (
    "north hall", "quarry", "paint shop", "bakery", "dairy", "ferry", "sawmill", "brewery",
    "laundry", "greenhouse", "foundry", "depot",
)  # fmt: skip
USES = (
    "needed on Monday", "second shift", "as agreed", "night crew", "for stock", "after the audit",
    "for the trainees", "urgent",
)  # fmt: skip

GOODS = """
ceramic tiles|wool blankets|glass beads|olive soap|paper lanterns|copper kettles|linen towels|
walnut furniture|leather belts|cotton shirts|bamboo baskets|silver spoons|candles|umbrellas|
notebooks|violins|honey|tea|spices|dried figs|perfume|batteries|seeds|knives|fireworks|ivory|
medicine|vitamins|tobacco|cigars|whisky|cider|sausages|fresh cheese|butter|coral|shells|
feathers|fossils|drones|radios|antennas|lasers|magnets|lithium cells|paintball markers|
fishing spears|antique coins|stamps|postcards|maps|toys|puzzles|bicycles|saddles|tents|
lacquer|glue|ink|resin
""".replace("\n", "").split("|")
DECLARATIONS = (
    "The parcel holds {0}; also {1}. Sent by {2}.",
    "Contents: {0} and, in a second box, {1}. Carrier: {2}.",
    "{2} brings {0}. Below them lie {1}.",
    "Declared are {0}, and as gifts {1}, handed over by {2}.",
)
CARRIERS = ("the night ferry", "rail freight", "a courier", "the post", "air cargo", "a lorry")

CREWS = _words(
    engine_room="piston boiler turbine crankshaft exhaust cylinder "
    "injector governor flywheel engines",
    galley="stove oven kettle pantry freezer dishes saucepan larder griddle scullery",
    rigging="mast sail halyard rope boom shroud winch cleat rigged topsail",
    navigation="compass chart radar sextant beacon rudder heading sonar navigator almanac",
    hull="plank keel rivets barnacles leak bilge caulking stern bow plating",
    cabins="bunk porthole mattress locker carpet wardrobe cabin curtain berth hinge",
    radio="antenna transmitter headset frequency receiver static microphone signal morse dial",
)
FINDINGS = (
    "the surveyor reports that",
    "according to the inspection",
    "as a defect it is listed that",
    "the boatswain insists that",
    "the verdict of the audit is that",
    "the examiner concluded that",
)
FOUND = (
    "the {0} is broken beside the {1}",
    "the {0} no longer holds and the {1} suffers",
    "both {0} and {1} have failed",
    "the {0} is worn out, the {1} as well",
)
ROUTINE = (
    "the {0} was polished and the {1} tidied as on every day",
    "guests admired the {0} and the {1}",
    "the cadets drew the {0} and the {1} for practice",
    "a spare {0} was stowed next to the {1}",
)
WEATHER = (
    "a light breeze came up from the west",
    "the sea was calm until noon",
    "dolphins followed us for an hour",
    "the captain read aloud after supper",
    "we passed a freighter at dawn",
    "rain fell during the second watch",
    "the coast came into sight late",
    "two gulls rested on the railing",
    "the fog lifted before breakfast",
    "everybody sang in the evening",
)

BANKING = (
    "card", "transfer", "refund", "fee", "balance", "limit", "password", "account", "deposit",
    "cheque", "statement", "loan", "branch", "cash", "signature", "passport", "address",
    "merchant", "receipt", "wallet", "phone", "message", "mortgage", "insurance", "salary",
    "rent", "currency", "holiday", "airport", "shop", "website", "parcel", "envelope",
    "counter", "appointment", "adviser", "daughter", "partner", "invoice", "tax", "pension",
    "savings", "overdraft", "debt", "charity", "ticket", "subscription", "hotel", "landlord",
    "lawyer", "inheritance", "flat", "university", "garage",
)  # fmt: skip
MESSAGE_OPENINGS = (
    "good evening",
    "I hope that you can help me",
    "a question from a customer of many years",
    "it is me again",
    "sorry to bother you",
    "I am writing from my desk at work",
    "my neighbour told me to ask you",
    "I could not find this anywhere",
)
MESSAGES = (
    "what about the {} now that the {} and the {} are settled",
    "there is a {} in the way of my {}, as with the {}",
    "the {} came before the {}, and then the {}",
    "my {} says one thing, the {} another, and the {} nothing",
    "I need the {} for a {} and a {}",
    "since the {} changed, neither the {} nor the {} is right",
)
MESSAGE_ENDS = (
    "there is no hurry",
    "please answer before the weekend",
    "I have been waiting for a while",
    "many thanks",
)
