//! French phrases.

use super::phrases::{CausePhrases, PhraseBook};
use super::{Cause, PiiKind};

pub(super) static BOOK: PhraseBook = PhraseBook {
    greetings: &["[Bonjour|Bonsoir],", "Madame, Monsieur,", "Bonjour à toute l'équipe,"],
    closings: &["[Merci|Merci beaucoup] d'avance,", "[Cordialement|Bien cordialement|Bien à vous],"],
    causes: &[
        CausePhrases {
            cause: Cause::Outage,
            subjects: &[
                "{product} [est en panne|inaccessible]",
                "[Panne|Coupure] de {feature} depuis {time}",
            ],
            openings: &[
                "Depuis {time}, [personne ne peut|impossible d']accéder à {product}, on obtient {error}.",
                "{feature} [ne répond plus|est en panne] pour [tout le monde|nos {count} utilisateurs].",
            ],
            details: &[
                "La page [reste blanche|ne charge pas].",
                "Avec un autre réseau, [c'est pareil|même résultat].",
                "Votre page d'état [est au vert|n'indique rien].",
            ],
        },
        CausePhrases {
            cause: Cause::Performance,
            subjects: &["{feature} [très lent|extrêmement lent]", "Lenteurs dans {product}"],
            openings: &[
                "{feature} met plus de {count} secondes à s'ouvrir depuis {day}.",
                "Tout est devenu [très lent|inutilisable], surtout vers {time}.",
            ],
            details: &[
                "La semaine dernière [tout allait bien|c'était rapide].",
                "J'ai essayé avec {browser}, sans effet.",
                "Les gros rapports finissent en {error}.",
            ],
        },
        CausePhrases {
            cause: Cause::Login,
            subjects: &["Impossible de me connecter", "Compte [bloqué|verrouillé]"],
            openings: &[
                "Je ne peux plus [me connecter|accéder à mon compte] depuis {day}.",
                "Mon compte est bloqué et le mail de réinitialisation [n'arrive pas|n'arrive jamais].",
            ],
            details: &[
                "Rien dans les spams non plus.",
                "Le code du téléphone est [refusé|rejeté].",
                "J'ai essayé {count} fois avec {browser}.",
            ],
        },
        CausePhrases {
            cause: Cause::Bug,
            subjects: &["Erreur {error} dans {feature}", "{feature} [plante|affiche de mauvais chiffres]"],
            openings: &[
                "Il y a un bug dans {feature} : à l'enregistrement, {error} apparaît.",
                "Depuis la mise à jour, les totaux de {feature} sont faux, il manque {amount}.",
            ],
            details: &[
                "Cela arrive [à chaque fois|une fois sur trois].",
                "Une collègue [confirme|voit la même chose].",
                "Ensuite, la saisie est perdue.",
            ],
        },
        CausePhrases {
            cause: Cause::Integration,
            subjects: &["L'API renvoie {error}", "Les webhooks [n'arrivent plus|arrivent en double]"],
            openings: &[
                "Notre intégration avec votre API échoue avec {error} depuis {day}.",
                "Les webhooks arrivent [deux fois|avec des heures de retard].",
            ],
            details: &[
                "Rien n'a changé de notre côté.",
                "Dans l'environnement de test, [ça marche|aucun souci].",
                "Merci de vérifier la requête {order}.",
            ],
        },
        CausePhrases {
            cause: Cause::Billing,
            subjects: &["[Double prélèvement|Facture erronée] {order}", "Question sur la facture {order}"],
            openings: &[
                "J'ai été prélevé de {amount} [deux fois|en double] pour la facture {order}.",
                "La facture {order} ne correspond pas à l'offre {plan}.",
            ],
            details: &[
                "La comptabilité [la refuse|demande une correction].",
                "Le numéro de TVA est [faux|ancien].",
                "Merci d'envoyer un avoir.",
            ],
        },
        CausePhrases {
            cause: Cause::Refund,
            subjects: &["Remboursement de {order} [en attente|non reçu]", "Où est mon remboursement ?"],
            openings: &[
                "J'ai renvoyé l'article ({item}) de la commande {order} et [j'attends toujours|je n'ai pas reçu] le remboursement de {amount}.",
            ],
            details: &[
                "Le suivi indique que le colis [est arrivé|a été livré].",
                "Je n'ai reçu qu'une partie.",
            ],
        },
        CausePhrases {
            cause: Cause::Shipping,
            subjects: &["Où est ma commande {order} ?", "Colis [perdu|bloqué]"],
            openings: &[
                "Ma commande {order} ({item}) devait arriver {day} et [rien|toujours rien].",
                "Le suivi de {order} ne bouge plus depuis {day}.",
            ],
            details: &[
                "J'étais chez moi toute la journée.",
                "C'est un cadeau.",
                "L'adresse est [correcte|la bonne].",
            ],
        },
        CausePhrases {
            cause: Cause::Damaged,
            subjects: &["{item} [cassé|abîmé]", "Mauvais article dans {order}"],
            openings: &["L'article ({item}) de la commande {order} est arrivé [cassé|abîmé|rayé]."],
            details: &[
                "Le carton était [écrasé|mouillé].",
                "Je peux envoyer des photos.",
                "Je préfère un échange.",
            ],
        },
        CausePhrases {
            cause: Cause::PaymentDeclined,
            subjects: &["Paiement [refusé|échoué]", "Impossible de payer {order}"],
            openings: &[
                "Ma carte est refusée [à chaque fois|sans cesse] pour {order}.",
                "Le paiement de {amount} a échoué, mais l'argent [est parti|a quitté mon compte].",
            ],
            details: &["La banque dit que [tout va bien|c'est validé].", "J'ai essayé {count} fois."],
        },
        CausePhrases {
            cause: Cause::Fraud,
            subjects: &["Débit [inconnu|non autorisé] de {amount}", "Mon compte a été piraté"],
            openings: &[
                "Il y a un débit de {amount} que je [ne reconnais pas|n'ai pas fait].",
                "Quelqu'un s'est connecté à mon compte à {time}, ce n'était pas moi.",
            ],
            details: &["Merci de bloquer la carte [immédiatement|tout de suite].", "J'ai porté plainte."],
        },
        CausePhrases {
            cause: Cause::Transfer,
            subjects: &["Virement de {amount} [non arrivé|disparu]", "Virement bloqué"],
            openings: &[
                "J'ai viré {amount} {day} et [rien n'est arrivé|le destinataire n'a rien].",
                "Mon virement est en vérification depuis {day}.",
            ],
            details: &[
                "La référence est {order}.",
                "C'est notre loyer, [c'est important|merci de faire vite].",
            ],
        },
        CausePhrases {
            cause: Cause::HowTo,
            subjects: &["Comment [exporter|configurer] {feature} ?", "Question sur {feature}"],
            openings: &[
                "Comment [partager|configurer] {feature} pour plusieurs utilisateurs ?",
                "Existe-t-il un guide pour {feature} ?",
            ],
            details: &[
                "L'aide ne décrit que l'ancienne version.",
                "Nous sommes {count} personnes.",
                "Rien ne presse.",
            ],
        },
        CausePhrases {
            cause: Cause::FeatureRequest,
            subjects: &["[Suggestion|Idée] : {feature}", "Proposition d'amélioration"],
            openings: &[
                "Il serait [pratique|formidable] de filtrer {feature} par étiquette.",
                "Nous utilisons {product} tous les jours, il manque juste [un mode sombre|l'annulation].",
            ],
            details: &["Nous gagnerions {count} minutes par jour.", "Je veux bien tester une bêta."],
        },
        CausePhrases {
            cause: Cause::Cancellation,
            subjects: &["Résiliation de l'offre {plan}", "Supprimer mon compte"],
            openings: &[
                "Je souhaite résilier mon abonnement {plan} [au plus vite|dès que possible].",
                "Merci de supprimer mon compte et toutes mes données.",
            ],
            details: &[
                "Merci de confirmer par écrit.",
                "Le bouton de résiliation [ne marche pas|donne {error}].",
            ],
        },
    ],
    details: &[
        "Nous avons l'offre {plan}.",
        "Le numéro de commande est {order}.",
        "J'ai déjà écrit {day}, [sans réponse|personne n'a répondu].",
        "Dites-moi s'il vous faut plus d'éléments.",
        "Je suis client depuis [des années|{count} mois].",
        "C'était vers {time}.",
        "Le chat n'a pas [aidé|servi].",
        "Navigateur : {browser}.",
        "Sinon, {feature} [marche bien|nous convient].",
    ],
    urgency: [
        &["Ce n'est pas urgent.", "Aucune urgence."],
        &["Merci de [regarder|vérifier] cette semaine."],
        &["Il nous le faut [aujourd'hui|pour demain].", "C'est urgent, un client attend."],
        &[
            "C'est une urgence, [tout est à l'arrêt|nous ne pouvons plus travailler].",
            "Agissez immédiatement, chaque minute coûte.",
        ],
    ],
    mood: [
        &["Sinon, [j'adore|nous aimons beaucoup] {product}, merci !"],
        &["J'espère que [c'est clair|c'est compréhensible].", "Merci de votre retour."],
        &["Je suis [inquiet|un peu inquiète] pour mes données."],
        &["Franchement, c'est [frustrant|agaçant], c'est la deuxième fois."],
        &[
            "C'est [inadmissible|une honte], je suis [furieux|excédée].",
            "Le pire service que j'aie vu, je veux être remboursé.",
        ],
    ],
    pii: &[
        (PiiKind::Email, &["Vous pouvez m'écrire à {}.", "Le compte est au nom de {}."]),
        (PiiKind::Phone, &["Mon téléphone : {}.", "Appelez-moi au {}."]),
        (PiiKind::PaymentCard, &["J'ai payé avec la carte {}.", "Le numéro de carte est {}."]),
        (PiiKind::Iban, &["Merci de virer sur l'IBAN {}.", "Mon compte : {}."]),
        (PiiKind::IpV4, &["Notre adresse IP est {}.", "Les requêtes viennent de {}."]),
        (PiiKind::IpV6, &["Notre IPv6 est {} ."]),
        (PiiKind::CredentialUrl, &["Nous utilisons {} ."]),
        (PiiKind::ApiKey, &["La clé d'API est {} ."]),
        (PiiKind::DateOfBirth, &["Ma date de naissance est le {}.", "Je suis né le {}."]),
        (PiiKind::Passport, &["Mon numéro de passeport est {}.", "Passeport n° {}."]),
    ],
    items: &["casque audio", "chaussures", "cafetière", "sac à dos", "manteau", "aspirateur"],
    features: &[
        "le tableau de bord",
        "les rapports",
        "la messagerie",
        "l'export",
        "l'application",
        "la recherche",
    ],
    days: &["lundi", "mardi", "hier", "la semaine dernière", "le 14"],
    steps_heading: "Étapes pour reproduire :",
    steps: &[
        "Se connecter et ouvrir {feature}.",
        "Cliquer sur [enregistrer|exporter].",
        "Attendre l'erreur {error}.",
        "Recharger dans {browser}.",
    ],
    log_heading: "Extrait de notre journal :",
    quote_heading: "Lundi, {} a écrit :",
    quotes: &[
        "Merci de nous avoir contactés, votre demande {order} est enregistrée.",
        "Nous regrettons la gêne et avons prévenu l'équipe.",
        "Merci de vider le cache et de vous reconnecter.",
    ],
};
