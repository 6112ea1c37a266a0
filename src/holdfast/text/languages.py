"""Which language a text is in: by its script, and by its most frequent words. Abstains where it is short or unsure.

Frequent function words tell languages of one script apart in a sentence or two (Grefenstette, "Comparing two language
identification schemes", JADT 1995). A word that several languages share counts for each by its share.
"""

from __future__ import annotations

import re
from collections import Counter
from types import MappingProxyType

_WORDS = {
    "en": "the of and to in is that it was for on are as with his they be at this have from or had by not but what all "
    "were we when your can there an which their if will how do would you about them then these so some her my been i a",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat "
    "dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis ich wir",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec son cette "
    "ou mais comme nous vous leur y être ont fait même aux je elle on ces sans deux tout était très bien peut sa ses",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si sin sobre "
    "este ya entre cuando todo esta ser son dos también fue había era muy años hasta desde está mi porque qué hay puede",
    "it": "di e il la che in un a per è una sono non del con i si le da alla della dei nel al più anche come dal ha lo gli "
    "ma questo delle nella ed o se degli ai suo essere stato cui sul tra tutti questa due molto io mi loro quando dalla",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu sua ou "
    "ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem mesmo aos são ter você",
    "ca": "de la i que el en a les els per un una amb es no del al és més com ha o són va aquest aquesta seva dels pel seu "
    "entre també però fins molt hi ser ja on tots tot quan si sobre tenen qui sense altres aquests anys està ni amb",
    "ro": "de și în a la cu o pe este un din care că nu se mai pentru prin sau au fi lui ce dar fost sunt ale sa după al "
    "ei unei unui său fără către orice toate această acest acestea între într el are aceasta cel cea îi noi vor poate",
    "nl": "de van het een en in is dat op te zijn met voor die niet aan er om ook als dan maar bij of uit nog worden door "
    "naar heeft tot over hij ze je wat was ik deze wordt kan zich hun geen al haar moet we veel zou onder heb zo mijn u",
    "sv": "och i att det som en på är av för med den till inte om ett har de jag var så men sig från vi kan när man han "
    "eller där vara hade nu under också efter skulle sin ska mot du alla utan bara mycket här sina vad hos detta någon",
    "da": "og i at det er en til af på som med for den de der har ikke et var fra jeg men så om han kan vi sig eller nu "
    "efter også hun være blev når skal hvor ud over op deres nogen blive mig mod uden hvad mange hvis dem hvilke siger",
    "no": "og i det er en på til som av for at med den de har ikke et var fra jeg men så om han kan vi seg eller nå etter "
    "også hun være ble når skal hvor ut over opp deres noen bli meg mot uten hva mange hvis dem hvilke sier mye",
    "fi": "ja on ei että se hän oli mutta ovat kun myös niin kuin joka tai jos ole mitä olen vain minä sen sitä tämä nyt "
    "jo sekä voi mukaan kanssa hänen ollut olla olisi vielä tässä jonka siitä kaikki jotka mikä enemmän he itse sinä",
    "pl": "w i na z do się nie to że jest o jak od po a za przez co ale dla są tak tym oraz ich czy jego może już być było "
    "był który która które tego tylko przy ze jej bardzo przed bez mnie lub każdy można pod ma we gdy też te nad więcej",
    "cs": "a v na se je že z do s o to i by jako za pro od po k ale při jeho jsou které který byl ve podle již až však "
    "která nebo jak také si bylo být mezi má není před ze ještě jen může tak jejich sve své aby když co nad jeho u",
    "hu": "a az és hogy nem is egy van ez meg csak de ha volt már el mint vagy még azt mert ki be fel lehet amely minden "
    "után ezt nagyon olyan akkor itt lesz csak ami között sem kell valamint illetve aki lenne pedig magyar szerint",
    "tr": "ve bir bu da de için ile çok daha olarak ne gibi o en var ama kadar sonra olan mi ki her değil ya iki göre ise "
    "ben olduğu şey onun tarafından hem veya diye mı bütün biz sen yok bana üzerinde zaman büyük önce kendi olduğunu herkes",
    "id": "yang dan di dengan untuk dari pada ini itu dalam tidak adalah akan ke oleh atau juga karena sebagai telah ada "
    "dapat bisa saya anda kami mereka lebih sudah setiap tanpa orang seperti tersebut harus lain para hak kita oleh ia",
    "vi": "và của là có được cho không trong một các với những người này đã để khi từ đến như về tôi bạn tại ra cũng nhiều "
    "theo sẽ phải đó vào thì nếu hay hoặc trên rất đều mọi nào làm quyền việc năm sau còn chỉ",
    "ru": "и в не на что с он я как это по но к из у за то все так от для о его же или бы был вы мы они быть который если "
    "при только когда также до ее уже есть может были чтобы было без их еще где после этого можно вас",
    "uk": "і в не на що з він я як це по але до із у за то всі так від для о його ж або би був ви ми вони бути який якщо "
    "при тільки коли також її вже є може були щоб було без їх ще де після цього та та й чи має можна кожна вас",
    "bg": "и в не на че с той аз как това по но към из у за то все така от за о го или би е вие ние те да се който ако при "
    "само когато също до си вече има може са беше без им още където след този която които всички всеки ще ви",
    "ar": "في من على أن إلى هذا هذه التي الذي عن مع لا ما كان أو هو هي كل بعد قد بين ذلك لم حتى ثم إن كما له لها يمكن "
    "أي غير عند منذ لكن و يكون كانت بها به أنه وقد حيث إذا نحن أنا فيه فيها جميع دون فى ولا وهو وفي حق",
    "fa": "و در به از که این را با است برای آن یک تا بر هم نیز خود بود شد شود کرد می اما ما او همه باید هر دارد کند شده "
    "هستند یا اگر پس من شما آنها کرده وی چه دو دیگر بین حق های ها",
}
_BY_WORD: dict[str, list[str]] = {}
for _language, _listed in _WORDS.items():
    for _word in set(_listed.split()):
        _BY_WORD.setdefault(_word, []).append(_language)

_SCRIPTS: tuple[tuple[str, float, tuple[tuple[int, int], ...]], ...] = (
    # script, how many letters of an alphabet one character is worth, code points
    ("latin", 1, ((0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x1E00, 0x1EFF))),
    ("cyrillic", 1, ((0x400, 0x52F),)),
    ("arabic", 1, ((0x600, 0x6FF), (0x750, 0x77F))),
    ("greek", 1, ((0x370, 0x3FF), (0x1F00, 0x1FFF))),
    ("hebrew", 1, ((0x590, 0x5FF),)),
    ("devanagari", 1, ((0x900, 0x97F),)),
    ("thai", 1, ((0xE00, 0xE7F),)),
    ("hangul", 2.5, ((0xAC00, 0xD7A3), (0x1100, 0x11FF))),
    ("kana", 2, ((0x3041, 0x30FF),)),
    ("han", 2.5, ((0x3400, 0x4DBF), (0x4E00, 0x9FFF))),
)
_ALONE = MappingProxyType({"greek": "el", "hebrew": "he", "devanagari": "hi", "thai": "th", "hangul": "ko"})
"""Scripts that one of the languages known here is written in."""
LANGUAGES = frozenset(_WORDS) | frozenset(_ALONE.values()) | {"ja", "zh"}
"""ISO 639-1 codes of all that can be told."""

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{1,500}`|https?://\S+|\S{1,200}@\S{1,200}\.\w+", re.DOTALL)
_LETTERS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
LONGEST = 20_000
"""Characters that are looked at."""
_LEAST_LETTERS = 20.0
_MOSTLY = 0.7
"""Share of the letters that are of one script."""
_LEAST_HITS = 2.0
_LEAST_SHARE = 0.12
"""Share of the words that are frequent ones of the language."""
_AHEAD = 1.25
"""By how much the best language leads the second."""


def function_words(language: str) -> frozenset[str]:
    """The most frequent words of a language; none of one that is not told by its words."""
    return frozenset(_WORDS.get(language, "").split())


def prose(text: str) -> str:
    """The text without code, addresses of pages and of mail."""
    return _CODE.sub(" ", text)


def detect(text: str) -> str | None:
    """The language as an ISO 639-1 code, one of `LANGUAGES`; None where the text is too short, mixed or unsure.

    Only the first 20,000 characters count, code left aside.
    """
    text = prose(text[:LONGEST])
    scripts = _scripts(text)
    letters = sum(scripts.values())
    if letters < _LEAST_LETTERS:
        return None
    if (scripts["han"] + scripts["kana"]) / letters >= _MOSTLY:
        return "ja" if scripts["kana"] > 0.1 * scripts["han"] else "zh"
    script, most = scripts.most_common(1)[0]
    if most / letters < _MOSTLY:
        return None
    return _ALONE.get(script) or _by_words(text)


def _scripts(text: str) -> Counter[str]:
    """Script → its letters in the text, weighed."""
    found: Counter[str] = Counter()
    for character, count in Counter(text).items():
        code = ord(character)
        if not character.isalpha():
            continue
        for name, weight, ranges in _SCRIPTS:
            if any(low <= code <= high for low, high in ranges):
                found[name] += count * weight  # type: ignore[assignment]
                break
        else:
            found["other"] += count
    return found


def _by_words(text: str) -> str | None:
    words = _LETTERS.findall(text.lower())
    hits: dict[str, float] = {}
    for word, count in Counter(words).items():
        # no single word decides, however often it stands there
        for language in (languages := _BY_WORD.get(word, [])):
            hits[language] = (
                hits.get(language, 0.0) + min(count, 1 + len(words) // 10) / len(languages) ** 0.5
            )
    ranked = sorted(hits.items(), key=lambda one: -one[1])[:2]
    if not ranked:
        return None
    best, most = ranked[0]
    second = ranked[1][1] if len(ranked) > 1 else 0.0
    sure = most >= _LEAST_HITS and most / len(words) >= _LEAST_SHARE and most >= _AHEAD * second
    return best if sure else None
