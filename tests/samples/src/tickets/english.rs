//! English phrases.

use super::phrases::{CausePhrases, PhraseBook};
use super::{Cause, PiiKind};

pub(super) static BOOK: PhraseBook = PhraseBook {
    greetings: &[
        "[Hi|Hello|Hey] [there|team|support|all],",
        "Good [morning|afternoon|evening],",
        "Dear [support team|Sir or Madam|{product} team],",
        "Hi,",
    ],
    closings: &[
        "[Thanks|Thank you|Many thanks] [in advance|for your help|for looking into this],",
        "[Best|Kind|Warm] regards,",
        "Cheers,",
        "[Looking forward to hearing from you|Awaiting your reply],",
        "Sincerely,",
    ],
    causes: &[
        CausePhrases {
            cause: Cause::Outage,
            subjects: &[
                "{product} [is down|not loading|unreachable]",
                "[Cannot reach|No access to] {feature} [since {time}|at all]",
                "{feature} returns {error} for everyone",
                "Service [outage|interruption]?",
            ],
            openings: &[
                "[Since|Starting at about] {time} [nobody|no one in our office] can [open|reach|load] {feature}.",
                "{product} [seems to be|is] [completely down|unavailable] [for us|for our whole company].",
                "All of our {count} users get {error} when they open {feature}.",
            ],
            details: &[
                "The page [just spins|stays blank|shows {error}] and then [gives up|times out].",
                "We [checked|tested] from [two offices|a phone on mobile data|three networks], [same result|no difference].",
                "Your status page [says nothing|shows all green].",
                "It [came back|worked] for [a minute|a short while] around {time} and then [went down|failed] again.",
                "[Our customers are affected too|Our own shop depends on this].",
            ],
        },
        CausePhrases {
            cause: Cause::Performance,
            subjects: &[
                "{feature} [very slow|extremely slow|sluggish] [since {day}|lately]",
                "[Slow|Long] loading times in {product}",
                "{feature} takes {count} seconds to open",
            ],
            openings: &[
                "{feature} has become [painfully|really|unusably] slow [since {day}|over the last days].",
                "Opening {feature} now takes [about|more than] {count} seconds[| for each of us].",
                "[We notice|I am seeing] [long delays|very high latency] in {product}[|, mostly around {time}].",
            ],
            details: &[
                "It [used to be|was] instant [last week|before the latest update].",
                "[Clearing the cache|Another browser|A different machine] made no difference, [tested with {browser}|also on {browser}].",
                "Reports with more than {count} rows [never finish|time out with {error}].",
                "The network tab shows the request [waiting|pending] for {count} s before the first byte.",
                "[Mornings are the worst|It gets worse towards the end of the day].",
            ],
        },
        CausePhrases {
            cause: Cause::Login,
            subjects: &[
                "[Cannot|Can't|Unable to] log in",
                "[Locked out|Locked out of my account]",
                "Password reset [mail never arrives|link does not work]",
                "[Two-factor|2FA] code [rejected|not accepted]",
            ],
            openings: &[
                "I [can't|cannot|am not able to] [log in|sign in] [to {product}|to my account] [since {day}|any more|anymore].",
                "My account [was locked|got locked] after [too many attempts|a wrong password] and the [reset mail|unlock link] [never arrives|does not work].",
                "The [two-factor|verification] code from my phone is [rejected|not accepted] [every time|since I changed phones].",
            ],
            details: &[
                "I [requested|asked for] a [new password|reset link] {count} times, nothing in [spam|the junk folder] either.",
                "After entering the password I [land on the login page again|get {error}].",
                "[Single sign-on|SSO] works for my colleagues, [just not for me|only I am affected].",
                "I [got|have] a new phone [{day}|last week] and [lost|no longer have] the authenticator.",
                "I already [cleared cookies|tried a private window|tried {browser}].",
            ],
        },
        CausePhrases {
            cause: Cause::Bug,
            subjects: &[
                "[Bug|Defect] in {feature}",
                "{feature} [crashes|shows wrong numbers|throws {error}]",
                "Error {error} when [saving|exporting|printing]",
            ],
            openings: &[
                "[I found|There seems to be] a bug in {feature}: it [crashes|freezes|shows {error}] [as soon as|whenever] I [save|export|filter].",
                "The totals in {feature} [are wrong|do not add up]: [the list shows {count} entries, the sum says otherwise|it is off by {amount}].",
                "After the [last|latest] update {feature} [no longer|does not] [save|keep] [my changes|the settings].",
            ],
            details: &[
                "It happens [every time|about one time in three] in {browser}.",
                "[Expected|I expected] the entry to be saved; [instead|what happens is that] the form [empties itself|closes].",
                "A colleague [can reproduce it|sees the same] on [another machine|{browser}].",
                "[Undo does not bring it back|The data is gone after that], [which is bad|so I have to type it all again].",
                "Sorting by date puts {day} [before|after] everything else.",
            ],
        },
        CausePhrases {
            cause: Cause::Integration,
            subjects: &[
                "[API|Webhook] [returns {error}|stopped working]",
                "Sync with {product} [fails|broken] since {day}",
                "[Integration|Connector] question: {error}",
            ],
            openings: &[
                "Our [integration|connector|nightly job] with your API [fails|has been failing] with {error} [since {day}|since {time}].",
                "[Webhooks|Your webhooks] [stopped arriving|arrive twice|arrive hours late] [since {day}|after we rotated the key].",
                "The import through the API [rejects|drops] about {count} of our records with {error}.",
            ],
            details: &[
                "We did not [change|deploy] anything on our side.",
                "The same request works in [your sandbox|Postman], [but not from our server|not in production].",
                "We [respect|are well below] the rate limit, and still see 429 [now and then|after a few calls].",
                "The signature check [fails|does not match] for bodies with [umlauts|emoji].",
                "Could you check your logs for request {order}?",
            ],
        },
        CausePhrases {
            cause: Cause::Billing,
            subjects: &[
                "[Charged twice|Double charge] for {order}",
                "[Question about|Wrong amount on] invoice {order}",
                "[VAT|Tax] missing on invoice",
            ],
            openings: &[
                "I was [charged|billed] {amount} [twice|two times] for [invoice|order] {order}.",
                "The invoice {order} [says|shows] {amount}, but we [agreed on|are on] the {plan} plan.",
                "[Could you explain|I don't understand] the charge of {amount} on [my last statement|invoice {order}]?",
            ],
            details: &[
                "Our [accounting department|bookkeeper] cannot [book|accept] it like this.",
                "The [company address|VAT number] on it is [wrong|outdated] as well.",
                "[We downgraded|I changed the plan] on {day}, [the invoice still has the old price|nothing changed].",
                "Please [send a corrected invoice|issue a credit note].",
                "[My bank|My card statement] shows both payments as [settled|booked].",
            ],
        },
        CausePhrases {
            cause: Cause::Refund,
            subjects: &[
                "Refund for {order} [not received|still missing]",
                "[Where is my refund|Refund please]",
                "[Returned|Sent back] the {item}, no money yet",
            ],
            openings: &[
                "I [returned|sent back] the {item} from order {order} [on {day}|two weeks ago] and [still have not received|am still waiting for] my refund of {amount}.",
                "[You promised|I was promised] a refund for {order} [by {day}|within five days].",
                "I would like [to return|my money back for] the {item} I bought, order {order}.",
            ],
            details: &[
                "The tracking says [it arrived|delivered] at your warehouse [on {day}|at {time}].",
                "The [label|return form] was [in the box|signed by your driver].",
                "Only part of it [was refunded|came back], {amount} is missing.",
                "It [was never used|is still in its original packaging].",
            ],
        },
        CausePhrases {
            cause: Cause::Shipping,
            subjects: &[
                "[Where is my order|Order {order} not delivered]",
                "Parcel [lost|stuck] since {day}",
                "Wrong [address|item] on order {order}",
            ],
            openings: &[
                "My order {order} with the {item} was [supposed to|due to] arrive on {day} and [is still not here|nothing came].",
                "The tracking for {order} [has not moved|says 'in transit'] [since {day}|for {count} days].",
                "The courier [claims|says] the parcel {order} was [delivered|left with a neighbour], [but nobody has it|that is not true].",
            ],
            details: &[
                "I [was at home|stayed in] all day and [nobody rang|there was no card].",
                "I [paid extra|paid] for express delivery.",
                "It is a [birthday present|gift], [so the date matters|I need it by {day}].",
                "The address is [right|correct] in my account, [the label had the old one|I checked twice].",
                "Can you [send it again|ship a replacement] or [refund me|cancel it]?",
            ],
        },
        CausePhrases {
            cause: Cause::Damaged,
            subjects: &[
                "{item} arrived [broken|damaged]",
                "[Defective|Faulty] {item}, order {order}",
                "[Wrong item|Parts missing] in {order}",
            ],
            openings: &[
                "The {item} from order {order} [arrived|came] [broken|damaged|with a crack].",
                "I [opened|unpacked] the parcel and the {item} [does not switch on|is scratched all over|has parts missing].",
                "You sent me [the wrong {item}|something else] in order {order}.",
            ],
            details: &[
                "The [box|outer packaging] was [crushed|wet|torn open] on one side.",
                "I [attached|can send] photos.",
                "It worked for {count} minutes and then [died|smelled burnt].",
                "I would [like|prefer] a replacement [over|to] a refund.",
            ],
        },
        CausePhrases {
            cause: Cause::PaymentDeclined,
            subjects: &[
                "[Payment|Card] declined [at checkout|again]",
                "Cannot pay for {order}",
                "Payment [pending|failed] but money is gone",
            ],
            openings: &[
                "My [card|payment] is declined [at checkout|every time I try to pay] for {order}, although [there is enough money|my bank sees no problem].",
                "The payment of {amount} [failed|shows as failed], but the money [has left|is gone from] my account.",
                "I can't [pay|renew], the form says {error} after the [bank's confirmation|3-D Secure step].",
            ],
            details: &[
                "I [tried|used] {count} times and with [two cards|another card] as well.",
                "My bank says the request was [approved|never received].",
                "[Prepaid cards|Cards from my country] [worked before|should be fine].",
                "The basket is [about to expire|reserved until {time}].",
            ],
        },
        CausePhrases {
            cause: Cause::Fraud,
            subjects: &[
                "[Unknown|Unauthorised] [transaction|charge] of {amount}",
                "[My account was hacked|Someone is using my account]",
                "[Fraud|Suspicious activity] - please block",
            ],
            openings: &[
                "There is a [transaction|charge] of {amount} on my account that I [did not make|do not recognise].",
                "[Someone|A stranger] [logged in to|changed the address on] my account [at {time}|on {day}], it was not me.",
                "I [received|clicked on] a message that [looked like|claimed to be from] {product} and [gave|entered] my details.",
            ],
            details: &[
                "Please [block|freeze] [the card|the account] [at once|right away].",
                "I have [reported it to the police|filed a police report].",
                "There were {count} [more attempts|small payments] before that.",
                "I [never shared|have not given] my PIN to anybody.",
            ],
        },
        CausePhrases {
            cause: Cause::Transfer,
            subjects: &[
                "Transfer of {amount} [not arrived|missing]",
                "[Sent money to the wrong account|Wrong recipient]",
                "[Bank transfer|Wire] stuck since {day}",
            ],
            openings: &[
                "I [sent|transferred] {amount} on {day} and it [has not arrived|never reached the recipient].",
                "My transfer [is stuck|has been 'in review'] since {day}.",
                "I [typed|entered] the wrong account number and {amount} went to [a stranger|someone else].",
            ],
            details: &[
                "The reference is {order}.",
                "The recipient's bank [sees nothing|has no record].",
                "[It is our rent|Salaries depend on it], [please hurry|so it matters].",
                "Your app [asks|asked] for documents that I [uploaded twice|already sent].",
            ],
        },
        CausePhrases {
            cause: Cause::HowTo,
            subjects: &[
                "How do I [set up|use|export] {feature}?",
                "[Question|Quick question] about {feature}",
                "[Can I|Is it possible to] change the plan?",
            ],
            openings: &[
                "How [do I|can I] [export|share|set up] {feature}[| for several users at once]?",
                "I [am trying|would like] to [move|switch] from {plan} to another plan, [where do I do that|how does it work]?",
                "[Is there|Do you have] a [guide|manual] for {feature}?",
            ],
            details: &[
                "I [looked|searched] in the help centre but [only found|the article covers] the old version.",
                "A [short video|screenshot] would [help a lot|be great].",
                "We are {count} people, [so doing it one by one is no option|ideally all at once].",
                "[No hurry|Take your time], just curious.",
            ],
        },
        CausePhrases {
            cause: Cause::FeatureRequest,
            subjects: &[
                "[Feature request|Suggestion|Idea]: {feature}",
                "[Would love|Please add] dark mode in {feature}",
                "Wish: [bulk edit|keyboard shortcuts]",
            ],
            openings: &[
                "It would be [great|wonderful|very useful] if {feature} could [send a weekly summary|be filtered by tag|export to a spreadsheet].",
                "[We love {product}|We use {product} every day], one thing is missing: [bulk edit|an undo|a dark mode] in {feature}.",
                "[Suggestion|An idea]: let {feature} [remember the last filter|open in a new tab].",
            ],
            details: &[
                "[Competitors|Other tools] [have it|offer this].",
                "It would save us [about {count} minutes a day|a lot of clicking].",
                "Happy to [test a beta|explain our workflow in a call].",
                "I am [surely|probably] not the only one who [asked|would use it].",
            ],
        },
        CausePhrases {
            cause: Cause::Cancellation,
            subjects: &[
                "[Cancel|Please cancel] my [subscription|account]",
                "Cancellation of {plan}",
                "[Delete|Close] my account please",
            ],
            openings: &[
                "I [want|would like] to cancel my {plan} subscription [as of {day}|with immediate effect].",
                "Please [close|delete] my account and [all of my data|everything you store about me].",
                "I [cancelled|terminated] the {plan} plan [on {day}|weeks ago] and was charged {amount} [again|nevertheless].",
            ],
            details: &[
                "The cancel button [is greyed out|leads to {error}].",
                "We [moved|are moving] to [another tool|a competitor], [nothing personal|it is cheaper].",
                "Please [confirm|acknowledge] in writing.",
                "I [no longer need|do not use] it since {day}.",
            ],
        },
    ],
    details: &[
        "[We are|I am] on the {plan} plan.",
        "[For reference|In case it helps], the order number is {order}.",
        "I [already wrote|opened a chat] on {day} [but got no answer|and was told to write here].",
        "[Let me know|Tell me] if you need [more information|screenshots|a recording].",
        "I have been a customer for [{count} months|years].",
        "This was [around|at] {time} [local time|UTC].",
        "A colleague [told me|mentioned] [it affects others too|it was fixed for her].",
        "[The chat bot|Your bot] was [no help|of little use] [I'm afraid|here].",
        "Version and browser: {browser}.",
        "[By the way|Also], {feature} [looks nice|is fine] otherwise.",
    ],
    urgency: [
        &[
            "[No rush|No hurry|Not urgent at all], whenever [you have time|you get to it].",
            "[Low priority|Just a minor thing] for us.",
        ],
        &[
            "A [reply|solution] [this week|in the next days] would be [fine|good].",
            "Please [have a look|look into it] [when you can|soon].",
        ],
        &[
            "[We need|I need] this [today|by tomorrow], [please|a customer is waiting].",
            "This is [quite|rather] urgent, [it blocks our work|we have a deadline on {day}].",
        ],
        &[
            "This is [critical|an emergency]: [production is down|we cannot work at all].",
            "[Please act immediately|We need someone on this right now], [every minute costs money|it is urgent].",
        ],
    ],
    mood: [
        &[
            "[I love|We really like] {product} [so far|by the way], [great work|keep it up]!",
            "Your [support|team] has always been [fantastic|so helpful], [thank you|thanks again].",
        ],
        &["[I hope|Hopefully] [this is clear|that explains it].", "[Please advise|Could you please check]."],
        &[
            "I am [a bit|rather] worried [about my data|that something is wrong].",
            "[Should I be concerned|Is my data safe]? I [don't want|would hate] to lose anything.",
        ],
        &[
            "[Honestly|To be honest], this is [getting annoying|frustrating], it is the [second|third] time.",
            "I [expected|had hoped for] [better|more] [from you|for that price].",
        ],
        &[
            "This is [unacceptable|ridiculous|a disgrace], I am [furious|fed up|done].",
            "[Worst service ever|I have never seen such bad service], I [will tell everyone|want my money back] and [leave a bad review|call my lawyer].",
        ],
    ],
    pii: &[
        (
            PiiKind::Email,
            &[
                "[You can reach me|Please write back] at {}.",
                "The account is registered [to|under] {}.",
                "[Please use|My other address is] {} [from now on|instead of the old one].",
            ],
        ),
        (
            PiiKind::Phone,
            &[
                "[Call me|Give me a ring|My number is]: {}.",
                "You can [call|text] me on {} [until six|any time].",
                "Phone: {}.",
            ],
        ),
        (
            PiiKind::PaymentCard,
            &[
                "The card [I used|on file] is {}.",
                "Please [charge|refund to] card number {} [instead|].",
                "It was paid with {}, [a credit card|Visa or so].",
            ],
        ),
        (
            PiiKind::Iban,
            &[
                "[Please send|Transfer] it to IBAN {}.",
                "My bank account is {}.",
                "The money went to {} [by mistake|].",
            ],
        ),
        (
            PiiKind::Ssn,
            &[
                "My [social security number|SSN] is {}.",
                "For verification, SSN {}.",
                "The form asked for my social, which is {}.",
            ],
        ),
        (
            PiiKind::IpV4,
            &[
                "Our [server|office] [address|IP] is {}.",
                "Your log should show {} as the client.",
                "[Requests|Logins] come from {}.",
            ],
        ),
        (
            PiiKind::IpV6,
            &["Our IPv6 address is {} .", "[It only fails|The requests that fail come] from {} (IPv6)."],
        ),
        (
            PiiKind::CredentialUrl,
            &["We connect [with|to] {} .", "The [URL|connection string] in our config is {} ."],
        ),
        (
            PiiKind::ApiKey,
            &[
                "[We use|I am using] the key {} .",
                "This is the [token|API key]: {} .",
                "Authorization: Bearer {} ",
            ],
        ),
        (PiiKind::DateOfBirth, &["My date of birth is {}.", "I was born on {}.", "DOB: {}."]),
        (
            PiiKind::Passport,
            &["My passport number is {}.", "Passport no. {} [is attached as a scan|for the identity check]."],
        ),
        (
            PiiKind::DrivingLicence,
            &[
                "My driver's license number is {}.",
                "Driving licence no. {}, [issued in California|if you need ID].",
            ],
        ),
    ],
    items: &[
        "headphones",
        "running shoes",
        "coffee machine",
        "desk lamp",
        "backpack",
        "tablet",
        "winter jacket",
        "bookshelf",
        "phone case",
        "vacuum cleaner",
    ],
    features: &[
        "the dashboard",
        "the reports page",
        "the inbox",
        "the checkout",
        "the calendar sync",
        "the export",
        "the mobile app",
        "the admin console",
        "the search",
        "the customer portal",
    ],
    days: &[
        "Monday",
        "Tuesday",
        "last Wednesday",
        "Thursday",
        "Friday",
        "the 3rd",
        "the 14th",
        "yesterday",
        "last week",
    ],
    steps_heading: "Steps to reproduce:",
    steps: &[
        "Sign in and open {feature}.",
        "[Click|Press] [save|export|refresh].",
        "Wait until {error} appears.",
        "Reload the page in {browser}.",
        "Compare with the list from {day}.",
    ],
    log_heading: "From our log:",
    quote_heading: "On Monday {} wrote:",
    quotes: &[
        "Thank you for contacting us, your request {order} was received.",
        "We are sorry for the inconvenience and have passed this to the team.",
        "Please try to clear the cache and sign in again.",
        "Our specialists are looking into {feature} at the moment.",
        "Is there anything else we can help with?",
    ],
};
