"""What the demo's people ask: questions that a model of 135 million parameters can mostly answer."""

from __future__ import annotations

POLICY: tuple[tuple[str, ...], ...] = (
    ("How many days of annual leave do I have?", "How early must I book my leave?"),
    ("How many unused days can I carry over?", "Until when can I use the carried days?"),
    ("How long is parental leave?", "Can I split parental leave?"),
    ("When must I tell my manager that I am ill?", "From which day do I need a doctor's note?"),
    ("How many days of bereavement leave are there?",),
    ("How many days per week may I work from home?",),
    ("Can I work from Spain for a month?", "How early must I request it?"),
    ("Within how many days do I hand in travel receipts?", "What is the daily allowance for meals?"),
    ("How much does the company pay for a desk at home?", "How often is that amount available?"),
    ("On which day is the salary paid?", "What happens if that day is a weekend?"),
    ("Who must approve overtime?", "What is the supplement for overtime?"),
    ("When is the yearly bonus paid?",),
    ("How big is my learning budget?", "Does the learning budget carry over?"),
    ("How long is the notice period after probation?", "How long does probation last?"),
    ("What do I get for recommending a new colleague?",),
    ("Does the company pay for my bus ticket?", "Can I lease a bicycle?"),
)

LEAVE: tuple[str, ...] = (
    "How many days of leave are left for employee {employee}?",
    "How much leave do I have left? My number is {employee}.",
    "Can {employee} still take a week off this year?",
    "Please check the leave balance of {employee}.",
)

LEAVE_AGAIN: tuple[str, ...] = (
    "And how much does {employee} have?",
    "What about {employee}?",
)

TICKETS: tuple[str, ...] = (
    "My laptop screen broke this morning and I cannot work. Please send a new one today.",
    "My payslip for last month is missing the overtime hours that I worked on the 12th.",
    "I would like to move my parental leave from May to July. Who has to sign?",
    "The chair in room 4.12 squeaks. It would be nice if someone had a look at it some day.",
    "My bank account has changed. Please pay my next salary into the new one.",
    "I booked two weeks off in August but the portal shows only one week.",
    "The projector in the big meeting room is dark, and our customer arrives in one hour.",
    "Could you tell me where the form for the bicycle lease has gone?",
)

NEW_TOPIC: tuple[tuple[str, ...], ...] = (
    ("Can I transfer my pension to a fund in Switzerland?", "Which tax is due when my pension moves abroad?"),
    ("My token for the VPN has expired, how do I renew it?", "Is the VPN allowed on my own phone?"),
    ("I clicked on a link in a strange e-mail, what now?", "Should I change all of my passwords?"),
    ("Which encryption does our laptop disk use?",),
    ("Is a pension from my former employer abroad added to this one?",),
    ("How do I report a phishing message?", "Who watches our network at night?"),
)

TENANTS: tuple[tuple[str, int], ...] = (("acme-logistics", 5), ("borealis-energy", 3), ("corvid-labs", 2))
"""The assistant's own customers and how often each writes, as weights."""
