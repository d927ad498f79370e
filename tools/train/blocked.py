"""Which texts are never trained on: people's sex, age, race, religion, looks, bodies and health.

Contract: allowed(text) is False for a text that says any of that about people. Every text that reaches the
model in training, rationale or caption, and every line of the tokenizer's corpus goes through it. Words that
animals and things share with people ("long legs", "smooth skin", "a tall, slender tower") stay: the photos
they describe are of animals and things. For photos of people themselves all collected rationales are
dropped (see texts.py, PEOPLE), and such photos are only ever called "person".
"""
import re

SEX = r"m[ae]n|wom[ae]n|males?|females?|boys?|girls?|lady|ladies|gentlem[ae]n|guys?|mothers?|fathers?|sex\w*|genders?|masculine|feminine|transgender|gay|lesbian|pregnan\w*"
AGE = r"bab(?:y|ies)|infants?|toddlers?|child|children|kids?|teen\w*|adults?|elderly|ages?|middle-aged|seniors?"
RACE = r"rac(?:e|ial|ist)|ethnic\w*|nationality|caucasian|negro\w*|hispanic|latin[oa]s?|asians?|(?:black|white|brown|dark|light|pale)[- ](?:people|person|skinned)"
RELIGION = r"relig\w*|christian\w*|catholic\w*|protestant\w*|jew|jews|jewish|judaism|muslims?|islam\w*|buddhis\w*|hindu\w*|sikhs?|pray(?:s|ed|er|ers|ing)?|worship\w*|holy|god|gods|deity|deities|jesus|christ|bible|quran|koran|saints?|shrines?"
LOOKS = r"beautiful|pretty|handsome|attractive|ugly|sexy|obese|overweight|skinny|chubby|bald(?! eagle)|facial hair|hairstyles?|makeup|tattoos?"
BODY = r"breasts|buttocks?|hips|cleavage|nude|nudity|nipples?|genital\w*|penis|vagina|thighs?|body hair|human (?:body|face|skin)"
HEALTH = r"health|healthy|unhealthy|disab\w*|handicap\w*|diseases?|sick|sickness|ill|illness|injur\w*|patients?|medic(?:al|ation|ine)|blood|cancer|autis\w*|blind (?:person|people)|deaf"
PATTERN = re.compile(r"\b(?:%s)\b" % "|".join((SEX, AGE, RACE, RELIGION, LOOKS, BODY, HEALTH)))
# Names of things and animals that hold a blocked word and say nothing about people.
HARMLESS = re.compile(r"man-?made|baby back ribs?|horse race|race ?(?:car|track)s?|ages 3|lady ?bugs?|ladybeetle|medicine chest|manhole")


def allowed(text):
    return not PATTERN.search(HARMLESS.sub(" ", text.lower()))
