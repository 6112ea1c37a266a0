"""The documents of Northwind HR: short invented policies of an invented company."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Policy:
    """One document: its id in the index, a title and a text of a few sentences."""

    id: str
    title: str
    text: str


POLICIES: tuple[Policy, ...] = (
    Policy(
        "leave-annual",
        "Annual leave",
        "Every full-time employee has 27 days of paid annual leave per calendar year. Part-time employees "
        "have a share of the 27 days that follows their hours. Leave is booked in the portal two weeks "
        "ahead.",
    ),
    Policy(
        "leave-carry-over",
        "Carrying leave over",
        "Up to 5 unused days of annual leave may be carried over into the next year. Carried days must be "
        "used before 31 March. Days that are left after 31 March expire.",
    ),
    Policy(
        "leave-parental",
        "Parental leave",
        "A parent may take 16 weeks of paid parental leave. The leave must begin within 12 months of the "
        "birth or adoption. It may be split into two parts.",
    ),
    Policy(
        "leave-sick",
        "Sick leave",
        "Tell your manager before 9:30 on the first day of illness. A doctor's note is needed from the third "
        "day. Sick pay is 100 percent of salary for the first 8 weeks.",
    ),
    Policy(
        "leave-bereavement",
        "Bereavement leave",
        "After the death of a close relative an employee has 5 days of paid bereavement leave. After the "
        "death of another relative it is 2 days. No proof is asked for.",
    ),
    Policy(
        "remote-work",
        "Working from home",
        "Employees may work from home up to 3 days per week. The team agrees on one common office day. Work "
        "from home needs no approval beyond the manager's.",
    ),
    Policy(
        "remote-abroad",
        "Working from another country",
        "Working from another country of the European Union is possible for 20 working days per year. It "
        "must be requested 30 days ahead, because tax and insurance are checked.",
    ),
    Policy(
        "expenses-travel",
        "Travel expenses",
        "Receipts for travel are handed in within 30 days. Trains are booked in second class. The daily "
        "allowance for meals is 28 euros.",
    ),
    Policy(
        "expenses-equipment",
        "Home office equipment",
        "The company pays up to 400 euros for a desk, a chair or a screen at home. The amount is available "
        "once every 3 years.",
    ),
    Policy(
        "pay-day",
        "Pay day",
        "Salaries are paid on the 25th of each month. If the 25th is a weekend, the salary is paid on the "
        "Friday before. Payslips are in the portal.",
    ),
    Policy(
        "pay-overtime",
        "Overtime",
        "Overtime must be approved by the manager before it is worked. It is paid with a supplement of 25 "
        "percent or given back as free time within 3 months.",
    ),
    Policy(
        "pay-bonus",
        "Yearly bonus",
        "The yearly bonus is paid in April with the salary. It depends on the company's result and on "
        "personal goals. Employees who joined after 1 October have no bonus for that year.",
    ),
    Policy(
        "learning-budget",
        "Learning budget",
        "Every employee has a learning budget of 1,200 euros per year for courses, books and conferences. "
        "The budget does not carry over.",
    ),
    Policy(
        "notice-period",
        "Notice period",
        "The notice period is 4 weeks during probation and 3 months afterwards. Notice is given in writing "
        "to the manager and to HR. Probation lasts 6 months.",
    ),
    Policy(
        "referral",
        "Referral reward",
        "Whoever recommends a person who is hired receives 1,500 euros after the new colleague's probation "
        "has ended.",
    ),
    Policy(
        "commuting",
        "Commuting",
        "The company pays 50 percent of a monthly ticket for public transport. A bicycle can be leased "
        "through the portal. Parking places are given by lot each January.",
    ),
)
