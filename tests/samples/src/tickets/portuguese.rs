//! Portuguese phrases.

use super::phrases::{CausePhrases, PhraseBook};
use super::{Cause, PiiKind};

pub(super) static BOOK: PhraseBook = PhraseBook {
    greetings: &["[Olá|Bom dia|Boa tarde],", "Prezados,", "Oi, pessoal,"],
    closings: &["[Obrigado|Muito obrigada] desde já,", "[Atenciosamente|Cumprimentos|Abraços],"],
    causes: &[
        CausePhrases {
            cause: Cause::Outage,
            subjects: &["{product} [fora do ar|não funciona]", "[Queda|Falha] de {feature} desde {time}"],
            openings: &[
                "Desde {time} [ninguém consegue|não conseguimos] entrar no {product}, aparece {error}.",
                "{feature} [não responde|caiu] para [todos|nossos {count} usuários].",
            ],
            details: &[
                "A página [fica em branco|não carrega].",
                "Em outra rede [é igual|acontece o mesmo].",
                "A página de status [não mostra nada|está verde].",
            ],
        },
        CausePhrases {
            cause: Cause::Performance,
            subjects: &["{feature} [muito lento|lentíssimo]", "Lentidão no {product}"],
            openings: &[
                "{feature} demora mais de {count} segundos para abrir desde {day}.",
                "Está tudo [muito lento|travando], principalmente às {time}.",
            ],
            details: &[
                "Na semana passada estava [bom|rápido].",
                "Testei no {browser} e nada mudou.",
                "Relatórios grandes terminam em {error}.",
            ],
        },
        CausePhrases {
            cause: Cause::Login,
            subjects: &["Não consigo [entrar|fazer login]", "Conta bloqueada"],
            openings: &[
                "Não consigo [entrar|acessar minha conta] desde {day}.",
                "Minha conta foi bloqueada e o e-mail de redefinição [não chega|nunca chega].",
            ],
            details: &[
                "Não está no spam.",
                "O código do celular [não é aceito|é recusado].",
                "Tentei {count} vezes no {browser}.",
            ],
        },
        CausePhrases {
            cause: Cause::Bug,
            subjects: &["Erro {error} em {feature}", "{feature} [fecha sozinho|mostra números errados]"],
            openings: &[
                "Há um erro em {feature}: ao salvar aparece {error}.",
                "Depois da atualização os totais de {feature} estão errados, faltam {amount}.",
            ],
            details: &[
                "Acontece [sempre|uma em cada três vezes].",
                "Uma colega [confirma|vê o mesmo].",
                "Depois os dados se perdem.",
            ],
        },
        CausePhrases {
            cause: Cause::Integration,
            subjects: &["A API retorna {error}", "Webhooks [não chegam|chegam em dobro]"],
            openings: &[
                "Nossa integração com a API falha com {error} desde {day}.",
                "Os webhooks chegam [duas vezes|com horas de atraso].",
            ],
            details: &[
                "Não mudamos nada do nosso lado.",
                "No ambiente de testes [funciona|está ok].",
                "Por favor, verifiquem o pedido {order}.",
            ],
        },
        CausePhrases {
            cause: Cause::Billing,
            subjects: &["[Cobrança em dobro|Fatura errada] {order}", "Dúvida sobre a fatura {order}"],
            openings: &[
                "Fui cobrado {amount} [duas vezes|em dobro] na fatura {order}.",
                "A fatura {order} não bate com o plano {plan}.",
            ],
            details: &[
                "A contabilidade [não aceita|precisa da correção].",
                "O CNPJ está [errado|desatualizado].",
                "Enviem uma fatura corrigida, por favor.",
            ],
        },
        CausePhrases {
            cause: Cause::Refund,
            subjects: &["[Reembolso|Estorno] de {order} pendente", "Cadê meu reembolso?"],
            openings: &[
                "Devolvi o produto ({item}) do pedido {order} e [ainda espero|não recebi] o reembolso de {amount}.",
            ],
            details: &["O rastreio diz que [chegou|foi entregue].", "Só veio uma parte."],
        },
        CausePhrases {
            cause: Cause::Shipping,
            subjects: &["Onde está meu pedido {order}?", "Pacote [perdido|parado]"],
            openings: &[
                "Meu pedido {order} ({item}) deveria chegar {day} e [nada|não chegou].",
                "O rastreio de {order} não muda desde {day}.",
            ],
            details: &[
                "Fiquei em casa o dia todo.",
                "É um presente.",
                "O endereço [está certo|está correto].",
            ],
        },
        CausePhrases {
            cause: Cause::Damaged,
            subjects: &["{item} [quebrado|danificado]", "Produto errado em {order}"],
            openings: &["O produto ({item}) do pedido {order} chegou [quebrado|danificado|riscado]."],
            details: &["A caixa estava [amassada|molhada].", "Posso mandar fotos.", "Prefiro a troca."],
        },
        CausePhrases {
            cause: Cause::PaymentDeclined,
            subjects: &["Pagamento [recusado|não aprovado]", "Não consigo pagar {order}"],
            openings: &[
                "Meu cartão é recusado [sempre|toda vez] no pedido {order}.",
                "O pagamento de {amount} falhou, mas o dinheiro [saiu|sumiu] da conta.",
            ],
            details: &["O banco diz que [está tudo certo|aprovou].", "Tentei {count} vezes."],
        },
        CausePhrases {
            cause: Cause::Fraud,
            subjects: &["Cobrança [desconhecida|não autorizada] de {amount}", "Invadiram minha conta"],
            openings: &[
                "Há uma cobrança de {amount} que [não reconheço|não fiz].",
                "Alguém entrou na minha conta às {time}, não fui eu.",
            ],
            details: &[
                "Bloqueiem o cartão [agora|imediatamente], por favor.",
                "Já fiz boletim de ocorrência.",
            ],
        },
        CausePhrases {
            cause: Cause::Transfer,
            subjects: &["Transferência de {amount} [não chegou|sumiu]", "Transferência parada"],
            openings: &[
                "Enviei {amount} {day} e [não chegou|o destinatário não recebeu].",
                "Minha transferência está em análise desde {day}.",
            ],
            details: &["A referência é {order}.", "É o aluguel, [é importante|por favor, com urgência]."],
        },
        CausePhrases {
            cause: Cause::HowTo,
            subjects: &["Como [exportar|configurar] {feature}?", "[Dúvida|Pergunta] sobre {feature}"],
            openings: &[
                "Como faço para [compartilhar|configurar] {feature} para vários usuários?",
                "Existe um guia de {feature}?",
            ],
            details: &["A ajuda só mostra a versão antiga.", "Somos {count} pessoas.", "Sem pressa."],
        },
        CausePhrases {
            cause: Cause::FeatureRequest,
            subjects: &["[Sugestão|Ideia]: {feature}", "Proposta de melhoria"],
            openings: &[
                "Seria [ótimo|muito útil] filtrar {feature} por etiqueta.",
                "Usamos o {product} todo dia, só falta [um modo escuro|poder desfazer].",
            ],
            details: &["Economizaria {count} minutos por dia.", "Posso testar uma versão beta."],
        },
        CausePhrases {
            cause: Cause::Cancellation,
            subjects: &["Cancelar [assinatura|plano] {plan}", "Excluir minha conta"],
            openings: &[
                "Quero cancelar a assinatura {plan} [o quanto antes|a partir de hoje].",
                "Por favor, excluam minha conta e todos os meus dados.",
            ],
            details: &["Confirmem por escrito, por favor.", "O botão de cancelar [não funciona|dá {error}]."],
        },
    ],
    details: &[
        "Temos o plano {plan}.",
        "O número do pedido é {order}.",
        "Já escrevi {day} e [ninguém respondeu|não tive resposta].",
        "Avisem se precisarem de mais dados.",
        "Sou cliente há [anos|{count} meses].",
        "Foi por volta das {time}.",
        "O chat não [ajudou|resolveu].",
        "Navegador: {browser}.",
        "De resto, {feature} [está bom|funciona bem].",
    ],
    urgency: [
        &["Não é urgente.", "Sem pressa."],
        &["Por favor, [verifiquem|deem uma olhada] esta semana."],
        &["Precisamos disso [hoje|até amanhã].", "É urgente, um cliente está esperando."],
        &[
            "É uma emergência, [está tudo parado|não conseguimos trabalhar].",
            "Ajam imediatamente, cada minuto custa dinheiro.",
        ],
    ],
    mood: [
        &["Aliás, [adoro|gostamos muito do] {product}, obrigado!"],
        &["Espero que [esteja claro|dê para entender].", "Aguardo retorno."],
        &["Estou [preocupado|um pouco preocupada] com meus dados."],
        &["Sinceramente, isso é [frustrante|chato], é a segunda vez."],
        &[
            "Isso é [inaceitável|um absurdo], estou [furioso|revoltada].",
            "O pior atendimento que já vi, quero meu dinheiro [de volta|já].",
        ],
    ],
    pii: &[
        (PiiKind::Email, &["Podem me escrever em {}.", "A conta está em nome de {}."]),
        (PiiKind::Phone, &["Meu telefone é {}.", "Liguem para {}."]),
        (PiiKind::PaymentCard, &["Paguei com o cartão {}.", "O número do cartão é {}."]),
        (PiiKind::Iban, &["Transfiram para o IBAN {}.", "Minha conta é {}."]),
        (PiiKind::IpV4, &["Nosso endereço IP é {}.", "As requisições vêm de {}."]),
        (PiiKind::IpV6, &["Nosso IPv6 é {} ."]),
        (PiiKind::CredentialUrl, &["Conectamos com {} ."]),
        (PiiKind::ApiKey, &["A chave da API é {} ."]),
        (PiiKind::DateOfBirth, &["Minha data de nascimento é {}.", "Nasci em {}."]),
        (PiiKind::Passport, &["O número do meu passaporte é {}.", "Passaporte nº {}."]),
    ],
    items: &["fone de ouvido", "tênis", "cafeteira", "mochila", "jaqueta", "aspirador"],
    features: &["o painel", "os relatórios", "a caixa de entrada", "a exportação", "o aplicativo", "a busca"],
    days: &["na segunda", "na terça", "ontem", "na semana passada", "no dia 14"],
    steps_heading: "Passos para reproduzir:",
    steps: &[
        "Entrar e abrir {feature}.",
        "Clicar em [salvar|exportar].",
        "Esperar aparecer {error}.",
        "Recarregar no {browser}.",
    ],
    log_heading: "Do nosso log:",
    quote_heading: "Na segunda, {} escreveu:",
    quotes: &[
        "Obrigado pelo contato, recebemos sua solicitação {order}.",
        "Lamentamos o transtorno e avisamos a equipe.",
        "Por favor, limpe o cache e entre de novo.",
    ],
};
